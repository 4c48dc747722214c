"""The example of case study A, on both stores, against a real ads server: as its commands run it, and step by step."""

import importlib.util
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from penstock.sync.runs import RunRow
from tests.clock import Clock
from tests.engine import Engine
from tests.examples.ads.shop import CUSTOMER, PRODUCT, Shop, Size, advertised
from tests.examples.imported import imported
from tests.processes import penstock as command
from tests.servers.ads import KINDS, Ads, ads_server

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
    """The walk as its application imports it, served by hand, on a clock that stands still until it is moved."""
    with imported(folder / "ads.py", monkeypatch) as module:
        object.__setattr__(module.app.settings, "now", clock.expression)
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


def calls(ads: Ads) -> Counter[str | None]:
    """How many calls wrote, by kind."""
    return Counter(call.kind for call in ads.calls("operations"))


def test_its_commands_do_what_its_docstring_says(
        shop: Shop, folder: Path, environment: dict[str, str], ads: Ads, size: Size):
    def penstock_says(*arguments: str, code: int = 0) -> list[str]:
        with command(*arguments, folder=folder, **environment) as child:
            lines = child.rest()
            assert child.wait() == code, lines
        return lines

    penstock_says("migrate")
    planned = "\n".join(penstock_says("plan", "google-ads", "--subject", PRODUCT))
    for layer, count in zip(LAYERS, size, strict=True):
        assert layer in planned
        assert f"{count} to create" in planned
    assert ads.calls() == [], "a plan asks the destination nothing"

    penstock_says("sync", "google-ads", "--subject", PRODUCT)
    assert advertised(ads) == shop.wanted()
    ads.forget()
    planned = "\n".join(penstock_says("plan", "google-ads", "--subject", PRODUCT))
    assert "1 to" not in planned
    penstock_says("sync", "google-ads", "--subject", PRODUCT)
    assert ads.calls() == [], "nothing has changed"


def test_a_refused_rate_is_waited_for_within_the_command(
        shop: Shop, folder: Path, environment: dict[str, str], ads: Ads):
    ads.fault("throttle", nth=3, retry_after=1)
    for arguments in (("migrate",), ("sync", "google-ads", "--subject", PRODUCT)):
        with command(*arguments, folder=folder, **environment) as child:
            lines = child.rest()
            assert child.wait() == 0, lines
    assert [call.status for call in ads.calls("operations")] == [200, 200, 429, 200, 200]
    assert advertised(ads) == shop.wanted()


def test_the_first_sync_creates_parents_before_children(engine: Engine, shop: Shop, ads: Ads, size: Size):
    run = sync(engine)
    assert (run.status, run.created, run.failed) == ("succeeded", sum(size), 0)
    assert advertised(ads) == shop.wanted()
    made_in = {(each.kind, each.id): each.call for each in ads.operations()}
    for kind, above in KINDS.items():
        if above is not None:
            assert all(made_in[above, record.parent] < made_in[kind, record.id] for record in ads.records(kind))
    assert all(each.code is None for each in ads.operations())


def test_a_second_run_writes_nothing(engine: Engine, ads: Ads, size: Size):
    sync(engine)
    ads.forget()
    run = sync(engine)
    assert (run.status, run.skipped, run.write_calls) == ("succeeded", sum(size), 0)
    assert ads.calls() == []


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
    shop.run("delete from campaign where reference_id = 'c17-003'",
             "delete from ad_group where campaign_id not in (select reference_id from campaign)",
             "delete from ad where ad_group_id not in (select reference_id from ad_group)",
             "delete from keyword where ad_group_id not in (select reference_id from ad_group)")
    run = sync(engine)
    assert (run.status, run.deleted) == ("succeeded", 1 + 5 + 10 + 25)
    assert advertised(ads) == shop.wanted()
    kinds = list(dict.fromkeys(each.kind for each in ads.operations()))
    assert kinds[2:] == ["ad_group", "campaign"]
    assert set(kinds[:2]) == {"ad", "keyword"}
    assert calls(ads) == dict.fromkeys(KINDS, 1)


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


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_after"])
def test_what_becomes_of_a_lost_answer_is_looked_up_and_nothing_is_made_twice(
        engine: Engine, shop: Shop, ads: Ads, fault: str, nth: int):
    ads.fault(fault, nth=nth)  # type: ignore[arg-type]
    assert sync(engine).status == "pending"
    assert "search" in settle(engine, shop, ads), "it was looked up"


def test_results_that_are_missing_are_looked_up(engine: Engine, shop: Shop, ads: Ads):
    ads.fault("fewer", places=(7, -1), nth=3)
    ads.fault("reversed", nth=4)
    sync(engine)
    settle(engine, shop, ads)


def test_a_lost_answer_is_found_under_the_name_that_has_changed_since(engine: Engine, shop: Shop, ads: Ads):
    ads.fault("drop_after", nth=1)
    sync(engine)
    shop.run("update campaign set title = title || ', now cheaper'")
    settle(engine, shop, ads)


def settle(engine: Engine, shop: Shop, ads: Ads) -> set[str]:
    """Have the sync come to its end: what is wanted is there, once, and the run after that writes nothing.

    Gives the kinds of calls that were made until then.
    """
    for _ in range(6):
        later(engine, 600)
    sync(engine)
    assert advertised(ads) == shop.wanted()
    made = {call.route for call in ads.calls()}
    ads.forget()
    assert sync(engine).write_calls == 0
    assert ads.calls() == []
    return made


def test_what_the_api_refuses_blocks_what_is_below_it_and_nothing_else(engine: Engine, shop: Shop, ads: Ads):
    ads.reject("[g17-00004]")
    run = sync(engine)
    assert (run.failed, run.blocked) == (1, 2 + 5)
    assert engine.state("AdGroups")["g17-00004"] == ("failed", None, "POLICY_VIOLATION")
    assert {status for status, *_ in engine.state("Campaigns").values()} == {"synced"}
    ads.behave()
    settle(engine, shop, ads)


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

