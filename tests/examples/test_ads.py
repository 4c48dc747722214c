"""The example of case study A, on both stores, against a real ads server: as its commands run it, and step by step."""

import importlib.util
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from penstock.sync.state.runs import RunRow
from tests.clock import Clock
from tests.engine import Engine
from tests.examples.ads.shop import CUSTOMER, PRODUCT, Shop, Size, advertised
from tests.examples.commands import Commands
from tests.examples.imported import imported
from tests.servers.ads import KINDS, Ads, ads_server
from tests.stores import on_sqlite

HERE = Path(__file__).parent
WALK = HERE.parents[1] / "examples" / "ads" / "ads.py"
LAYERS = {"Campaigns": "campaign", "AdGroups": "ad_group", "Ads": "ad", "Keywords": "keyword"}


@pytest.fixture
def ads() -> Iterator[Ads]:
    with ads_server(still=True) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The walk as it stands, with the two modules of its application beside it."""
    folder = tmp_path / "application"
    folder.mkdir()
    for path in (WALK, HERE / "ads" / "catalogue.py", HERE / "ads" / "ads_client.py"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def environment(store_url: str, tmp_path: Path, ads: Ads) -> dict[str, str]:
    return {"PENSTOCK_APP": "ads:app", "PENSTOCK_URL": store_url, "CATALOGUE": str(tmp_path / "catalogue.db"),
            "ADS_URL": ads.url()}


@pytest.fixture
def modules(folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The application's modules, by the names under which the walk imports them."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = {}
    for name in ("catalogue", "ads_client"):
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        found[name] = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, found[name])
        spec.loader.exec_module(found[name])
    return found


@pytest.fixture
def size() -> Size:
    return Size()


@pytest.fixture
def shop(modules: dict[str, ModuleType], environment: dict[str, str], size: Size) -> Shop:
    shop = Shop(Path(environment["CATALOGUE"]), modules["catalogue"], size)
    shop.open()
    return shop


@pytest.fixture
def engine(shop: Shop, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The walk as its application imports it, served by hand, on a clock that moves where somebody waits for a permit,
    and is moved."""
    with imported(folder / "ads.py", monkeypatch) as module:
        object.__setattr__(module.app.settings, "now", clock.expression)
        module.app.monotonic, module.app.sleep = (lambda: clock.passed), clock.sleep
        yield Engine(module.app, clock)


def sync(engine: Engine, subject: str = PRODUCT) -> RunRow:
    [run] = engine.sync("google-ads", subject, account=None)
    return run


def later(engine: Engine, seconds: float) -> None:
    """Let time go by, and serve whatever is due by then."""
    engine.clock.advance(seconds)
    engine.settle_all()


def sent(ads: Ads) -> Counter[tuple[str, str]]:
    """How many operations were carried out, by verb and kind."""
    return Counter((each.verb, each.kind) for each in ads.operations() if each.code is None)


def parents_first(ads: Ads) -> bool:
    """Whether every record was made in a later call than its parent."""
    made_in = {(each.kind, each.id): each.call for each in ads.operations() if each.verb == "create"}
    return all(made_in[above, record.parent] < made_in[kind, record.id]
               for kind, above in KINDS.items() if above is not None for record in ads.records(kind))


def children_first(ads: Ads) -> bool:
    """Whether nothing but removals was sent, and of each kind before that of its parents."""
    kinds = list(dict.fromkeys(each.kind for each in ads.operations()))
    return {each.verb for each in ads.operations()} == {"remove"} and set(kinds) == set(KINDS) and kinds[2:] == [
        "ad_group", "campaign"]


def close_campaigns(shop: Shop, count: int = 1) -> None:
    """Take some out of the catalogue, with all below them: of six, each has a sixth of everything."""
    shop.run(f"delete from campaign where reference_id >= 'c17-{6 - count:03}'",
             "delete from ad_group where campaign_id not in (select reference_id from campaign)",
             "delete from ad where ad_group_id not in (select reference_id from ad_group)",
             "delete from keyword where ad_group_id not in (select reference_id from ad_group)")


def calls(ads: Ads) -> Counter[str | None]:
    """How many calls wrote, by kind."""
    return Counter(call.kind for call in ads.calls("operations"))


PenstockSays = Callable[..., str]


@pytest.fixture
def penstock_says(folder: Path, environment: dict[str, str]) -> PenstockSays:
    """Runs a command in the application's folder and gives what it printed."""
    command = Commands(folder, environment)
    return lambda *arguments: "\n".join(command(*arguments))


def test_its_commands_do_what_its_docstring_says(penstock_says: PenstockSays, shop: Shop, ads: Ads, size: Size):
    about = ("google-ads", "--subject", PRODUCT)
    penstock_says("migrate")
    planned = penstock_says("plan", *about)
    for layer, count in zip(LAYERS, size, strict=True):
        assert layer in planned
        assert f"{count} to create" in planned
    assert ads.calls() == [], "a plan asks the destination nothing"

    penstock_says("sync", *about)
    assert advertised(ads) == shop.wanted()
    assert parents_first(ads)
    assert calls(ads) == dict.fromkeys(KINDS, 1)

    ads.forget()
    penstock_says("sync", *about)
    assert ads.calls() == [], "nothing has changed"

    shop.run("update ad set headline = 'Buy more' where headline = 'Buy number 7'")
    penstock_says("sync", *about)
    assert sent(ads) == {("update", "ad"): 1}
    assert advertised(ads) == shop.wanted()

    ads.forget()
    close_campaigns(shop)
    penstock_says("sync", *about)
    assert children_first(ads)
    assert advertised(ads) == shop.wanted()

    headings, *runs = penstock_says("runs", "google-ads").splitlines()
    assert headings.split()[:5] == ["RUN", "SYNC", "SUBJECT", "ACCOUNT", "STATUS"]
    assert [run.split()[2:5:2] for run in runs] == [[PRODUCT, "succeeded"]] * 4
    assert "ended as succeeded" in penstock_says("why", "google-ads", PRODUCT)


@on_sqlite
def test_too_many_deletes_wait_until_somebody_approves_them(penstock_says: PenstockSays, shop: Shop, ads: Ads):
    about = ("google-ads", "--subject", PRODUCT)
    penstock_says("migrate")
    penstock_says("sync", *about)
    assert penstock_says("approve", "google-ads") == "nothing is withheld of google-ads"
    before = advertised(ads)
    ads.forget()
    close_campaigns(shop, 2)
    assert "withheld" in penstock_says("sync", *about)
    assert advertised(ads) == before
    listed = penstock_says("approve", "google-ads")
    assert "20 deletes" in listed, "of 60 ads"
    penstock_says("approve", "google-ads", "--all")
    assert ads.calls() == [], "who approves sends nothing yet"
    penstock_says("sync", *about)
    assert children_first(ads)
    assert advertised(ads) == shop.wanted()


@on_sqlite
def test_a_refused_rate_is_waited_for_within_the_command(penstock_says: PenstockSays, shop: Shop, ads: Ads):
    ads.fault("throttle", nth=3, retry_after=1)
    penstock_says("migrate")
    penstock_says("sync", "google-ads", "--subject", PRODUCT)
    assert [call.status for call in ads.calls("operations")] == [200, 200, 429, 200, 200]
    assert advertised(ads) == shop.wanted()


def test_the_first_sync_creates_parents_before_children(engine: Engine, shop: Shop, ads: Ads, size: Size):
    run = sync(engine)
    assert (run.status, run.created, run.failed) == ("succeeded", sum(size), 0)
    assert advertised(ads) == shop.wanted()
    assert parents_first(ads)
    assert all(each.code is None for each in ads.operations())


def test_a_second_run_writes_nothing(engine: Engine, ads: Ads, size: Size):
    sync(engine)
    ads.forget()
    run = sync(engine)
    assert (run.status, run.skipped, run.write_calls) == ("succeeded", sum(size), 0)
    assert ads.calls() == []


@on_sqlite
@pytest.mark.parametrize("size", [Size(campaign=100, ad_group=200, ad=400, keyword=10_100)])
def test_of_a_change_just_that_is_sent_in_the_fewest_calls(engine: Engine, shop: Shop, ads: Ads):
    sync(engine)
    assert calls(ads) == {"campaign": 1, "ad_group": 1, "ad": 1, "keyword": 2}
    ads.forget()
    with shop.changing() as connection:  # 1 % of each kind; a keyword with another text is another keyword
        connection.execute("update campaign set budget = budget + 1 where reference_id = 'c17-007'")
        connection.execute("update ad_group set bid = bid + 1 where reference_id glob '*-0005[01]'")
        connection.execute("update ad set headline = headline || '!' where reference_id glob '*-0003[0-3]?'"
                           " and reference_id glob '*[5]'")
        connection.execute("delete from keyword where text glob 'thing ??' or text = 'thing 100'")
        shop.keywords(connection, PRODUCT, range(101), "other thing")
    run = sync(engine)
    assert (run.status, run.created, run.updated, run.deleted) == ("succeeded", 101, 7, 91)
    assert sent(ads) == {("update", "campaign"): 1, ("update", "ad_group"): 2, ("update", "ad"): 4,
                         ("create", "keyword"): 101, ("remove", "keyword"): 91}
    assert calls(ads) == {"campaign": 1, "ad_group": 1, "ad": 1, "keyword": 2}
    assert advertised(ads) == shop.wanted()


def test_deletes_go_in_reverse(engine: Engine, shop: Shop, ads: Ads):
    sync(engine)
    ads.forget()
    close_campaigns(shop)
    run = sync(engine)
    assert (run.status, run.deleted) == ("succeeded", 1 + 5 + 10 + 25)
    assert advertised(ads) == shop.wanted()
    assert children_first(ads)
    assert calls(ads) == dict.fromkeys(KINDS, 1)


@on_sqlite
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_refused_rate_leads_to_a_later_try_and_to_the_same_end(
        engine: Engine, shop: Shop, ads: Ads, size: Size, nth: int):
    ads.fault("throttle", nth=nth, retry_after=30)
    run = sync(engine)
    assert (run.status, run.failed, run.error_class) == ("pending", 0, "Throttled")
    assert len(ads.calls()) == nth
    later(engine, 29)
    assert len(ads.calls()) == nth, "it was asked to wait for 30 s"
    later(engine, 2)
    assert sent(ads) == {("create", kind): count for kind, count in zip(KINDS, size, strict=True)}
    assert [call.status for call in ads.calls("operations")].count(429) == 1
    assert advertised(ads) == shop.wanted()
    ads.forget()
    assert sync(engine).write_calls == 0


def test_a_quota_stretches_a_sync_and_loses_nothing(engine: Engine, shop: Shop, ads: Ads, size: Size):
    ads.quota(size.keyword, seconds=60, customer=CUSTOMER)
    sync(engine)
    for _ in range(3):
        ads.advance(60)
        later(engine, 60)
    assert sent(ads) == {("create", kind): count for kind, count in zip(KINDS, size, strict=True)}
    assert 429 in [call.status for call in ads.calls()]
    assert advertised(ads) == shop.wanted()


# Each fault at another call; at every one of them where everything is tried.
LOST = [pytest.param(fault, nth, marks=() if (fault, nth) in {("drop_before", 1), ("drop_after", 2), ("error_after", 4)}
                     else pytest.mark.thorough)
        for fault in ("drop_before", "drop_after", "error_after") for nth in (1, 2, 4)]


@on_sqlite
@pytest.mark.parametrize(("fault", "nth"), LOST)
def test_what_becomes_of_a_lost_answer_is_looked_up_and_nothing_is_made_twice(
        engine: Engine, shop: Shop, ads: Ads, fault: str, nth: int):
    ads.fault(fault, nth=nth)  # type: ignore[arg-type]
    assert sync(engine).status == "pending"
    assert "search" in settle(engine, shop, ads), "it was looked up"


@on_sqlite
def test_results_that_are_missing_are_looked_up(engine: Engine, shop: Shop, ads: Ads):
    ads.fault("fewer", places=(7, -1), nth=3)
    ads.fault("reversed", nth=4)
    sync(engine)
    settle(engine, shop, ads)


@on_sqlite
def test_a_lost_answer_is_found_under_the_name_that_has_changed_since(engine: Engine, shop: Shop, ads: Ads):
    ads.fault("drop_after", nth=1)
    sync(engine)
    shop.run("update campaign set title = title || ', now cheaper'")
    settle(engine, shop, ads)


def settle(engine: Engine, shop: Shop, ads: Ads) -> set[str]:
    """Have the sync come to its end: what is wanted is there, once, and the run after that writes nothing.

    Gives the kinds of calls that were made until then.
    """
    for left in reversed(range(6)):
        later(engine, 600)
        if not engine.clock.fetch("select 1 from penstock.sync_runs where status in ('pending', 'running')"):
            engine.clock.advance(600 * left)  # meanwhile nothing happens
            break
    sync(engine)
    assert advertised(ads) == shop.wanted()
    made = {call.route for call in ads.calls()}
    ads.forget()
    assert sync(engine).write_calls == 0
    assert ads.calls() == []
    return made


@on_sqlite
def test_what_the_api_refuses_blocks_what_is_below_it_and_nothing_else(engine: Engine, shop: Shop, ads: Ads):
    ads.reject("[g17-00004]")
    run = sync(engine)
    assert (run.failed, run.blocked) == (1, 2 + 5)
    assert engine.state("AdGroups")["g17-00004"] == ("failed", None, "POLICY_VIOLATION")
    assert {status for status, *_ in engine.state("Campaigns").values()} == {"synced"}
    ads.behave()
    settle(engine, shop, ads)


@on_sqlite
def test_a_record_that_the_api_cannot_bear_keeps_no_other_from_being_sent(
        engine: Engine, shop: Shop, ads: Ads, size: Size):
    ads.fault("refuse", having="[g17-00004]", times=None)
    run = sync(engine)
    assert (run.created, run.failed, run.blocked) == (sum(size) - 8, 1, 2 + 5)
    assert engine.state("AdGroups")["g17-00004"] == ("failed", None, "INVALID_REQUEST")
    ads.behave()
    settle(engine, shop, ads)


@on_sqlite
def test_a_record_that_somebody_removed_there_is_made_anew(engine: Engine, shop: Shop, ads: Ads):
    sync(engine)
    removed = ads.records("keyword")[3]
    ads.drop("keyword", removed.id)
    ad = next(record for record in ads.records("ad") if record.fields["headline"] == "Buy number 9")
    ads.drop("ad", ad.id)
    shop.run("update ad set headline = 'Buy me' where headline = 'Buy number 9'",
             f"delete from keyword where text = '{removed.fields['text']}'")
    sync(engine)
    settle(engine, shop, ads)


def test_products_of_one_customer_and_of_others_are_kept_apart(engine: Engine, shop: Shop, ads: Ads, size: Size):
    shop.open("product-18", "customer-9")
    shop.open("product-19", "customer-8")
    runs = engine.sync("google-ads", "product-17", "product-18", "product-19", account=None)
    assert [(run.account, run.created) for run in runs] == [
        ("customer-9", sum(size)), ("customer-9", sum(size)), ("customer-8", sum(size))]
    assert len(advertised(ads, "customer-9")) == 2 * sum(size)
    assert advertised(ads, "customer-8") == shop.wanted("product-19")
