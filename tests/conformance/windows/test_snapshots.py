"""What a source shares: loaded once for a window, kept as long as it says, and never believed over what is newer."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from penstock import Penstock, Window
from penstock.sync import Change, Complete, Layer, Run, Subject, Sync
from penstock.sync.serving.preview import preview
from penstock.sync.serving.snapshots import Snapshots
from tests.clock import Clock
from tests.conformance.windows.conftest import LEASE_SECONDS, Windowed
from tests.remote import Remote


class Shop:
    """Prices that all shelves share, and the shelves that show them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.at = 1000.0
        self.prices: dict[str, int] = {"a": 1, "b": 2}
        self.fresh: dict[str, int] = {}
        self.stale = True
        self.shelves = Remote()
        self.loads: list[Any] = []
        self.fails: Exception | None = None

    def pass_time(self, seconds: float) -> None:
        self.at += seconds
        self.clock.advance(seconds)

    def app(self, url: str, snapshot: Any, lag: timedelta | None, scope: str) -> Penstock:
        app = Penstock(url, now=self.clock.expression)
        app.monotonic = lambda: self.at
        shop, declared = self, snapshot

        class Prices(Layer[dict]):  # type: ignore[type-arg]
            key = "id"
            destination = shop.shelves

            def source(self, run: Run) -> Any:
                shop.pass_time(10)
                prices = run.snapshot if shop.stale else shop.prices
                yield from ({"id": key, "price": price} for key, price in prices.items())
                return Complete(len(prices))

            def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
                return record

        Prices.scope = scope
        if lag is not None:
            Prices.consistency_lag = lag

        @app.sync("shelves", window=Window(total=100, headroom=20))
        class Shelves(Sync[str]):
            layers = [Prices]
            snapshot = declared

            def subjects(self) -> Iterator[Subject]:
                yield from (Subject(f"s{number}", "acme") for number in range(4))

        return app


class PriceList:
    """Loads all prices."""

    shop: Shop

    def load(self) -> dict[str, int]:
        self.shop.loads.append("load")
        if self.shop.fails:
            raise self.shop.fails
        self.shop.pass_time(5)
        return dict(self.shop.prices)


class Kept(PriceList):
    max_age = timedelta(minutes=10)


class Refreshed(Kept):
    def refresh(self, previous: dict[str, int], since: datetime) -> dict[str, int]:
        self.shop.loads.append((previous, since))
        return dict(self.shop.prices)


class OfAccount(Kept):
    def load(self, account: str) -> dict[str, int]:  # type: ignore[override]
        self.shop.loads.append(account)
        return dict(self.shop.prices)


class OfRun(Kept):
    async def load(self, run: Run) -> dict[str, int]:  # type: ignore[override]
        self.shop.loads.append((run.account, run.subject.key))
        return dict(self.shop.prices)


@pytest.fixture
def shop(clock: Clock) -> Shop:
    return Shop(clock)


@pytest.fixture
def snapshot() -> type[Any]:
    return PriceList


@pytest.fixture
def lag() -> timedelta | None:
    return None


@pytest.fixture
def scope() -> str:
    return "subject"


@pytest.fixture
def engine(shop: Shop, store_url: str, clock: Clock, snapshot: type[Any], lag: timedelta | None,
           scope: str) -> Iterator[Windowed]:
    snapshot.shop = shop
    with shop.app(store_url, snapshot, lag, scope) as app:
        yield Windowed(app, clock, lease_ms=LEASE_SECONDS * 1000)


def prices(shop: Shop) -> list[int]:
    return [record["payload"]["price"] for record in shop.shelves.records.values()]


def test_it_is_loaded_once_for_all_runs_of_a_window(engine: Windowed, shop: Shop) -> None:
    runs = engine.sync("shelves", "s0", "s1", "s2")
    assert [run.status for run in runs] == ["succeeded"] * 3
    assert shop.loads == ["load"]
    assert prices(shop) == [1, 2] * 3
    [window] = engine.windows_of("shelves")
    assert (window.fetch_ms, [each.began_ms for each in window.served_runs]) == (5000, [5000, 15_000, 25_000])
    engine.sync("shelves", "s0")
    assert shop.loads == ["load", "load"], "without max_age it is not kept between windows"


@pytest.mark.parametrize("snapshot", [Kept])
def test_it_is_kept_between_windows_until_it_is_too_old(engine: Windowed, shop: Shop) -> None:
    engine.sync("shelves", "s0")
    engine.sync("shelves", "s1")
    assert shop.loads == ["load"]
    shop.pass_time(600)
    engine.sync("shelves", "s1")
    assert shop.loads == ["load", "load"]


@pytest.mark.parametrize("snapshot", [Refreshed])
def test_then_it_is_refreshed_from_what_it_was_where_it_can_be(engine: Windowed, shop: Shop) -> None:
    loaded_at = engine.clock.now_ms
    engine.sync("shelves", "s0")
    shop.prices["a"] = 7
    shop.pass_time(600)
    refreshed_at = engine.clock.now_ms
    engine.sync("shelves", "s0")
    [_, (previous, since)] = shop.loads
    assert (previous, round(since.timestamp() * 1000)) == ({"a": 1, "b": 2}, loaded_at)
    assert prices(shop) == [7, 2]
    shop.pass_time(600)
    engine.sync("shelves", "s0")
    assert round(shop.loads[2][1].timestamp() * 1000) == refreshed_at


@pytest.mark.parametrize(("snapshot", "loads"), [
    (OfAccount, ["acme", "other"]), (OfRun, [("acme", "s0"), ("other", "s1")]), (Kept, ["load"]),
])
def test_each_account_has_its_own_where_load_asks_for_it(engine: Windowed, shop: Shop, loads: list[Any]) -> None:
    engine.sync("shelves", "s0")
    engine.sync("shelves", "s1", account="other")
    engine.sync("shelves", "s2")
    assert shop.loads == loads


@pytest.mark.parametrize("snapshot", [Kept])
@pytest.mark.parametrize("scope", ["subject", "account"])
def test_what_was_written_since_is_not_reverted(engine: Windowed, shop: Shop) -> None:
    engine.sync("shelves", "s0")
    shop.prices, shop.stale = {"a": 9, "b": 9, "c": 9}, False
    engine.sync("shelves", "s0")
    assert prices(shop) == [9, 9, 9]
    shop.stale = True
    [run] = engine.sync("shelves", "s0")
    assert prices(shop) == [9, 9, 9], "the snapshot says 1 and 2, and knows of no c"
    assert (run.status, run.updated, run.deleted, run.error_class) == ("succeeded", 0, 0, "SnapshotOlder")
    assert run.error is not None
    assert run.error.startswith("Prices: ")
    shop.pass_time(600)
    [run] = engine.sync("shelves", "s0")
    assert (run.error_class, prices(shop)) == (None, [9, 9, 9]), "a newer one says the same"


@pytest.mark.parametrize("snapshot", [Kept])
def test_what_is_older_than_the_snapshot_follows_it(engine: Windowed, shop: Shop) -> None:
    shop.stale = False
    engine.sync("shelves", "s0")
    shop.prices, shop.stale = {"a": 5}, True
    engine.clock.advance(1)
    engine.sync("shelves", "s1")  # loads it
    engine.app._snapshots = type(engine.app._snapshots)()  # another process
    [run] = engine.sync("shelves", "s0")
    assert (run.updated, run.deleted, run.error_class) == (1, 1, None)


@pytest.mark.parametrize(("lag", "spared"), [(timedelta(0), False), (timedelta(seconds=30), True)])
def test_the_lag_of_the_destination_makes_it_older(engine: Windowed, shop: Shop, spared: bool) -> None:
    shop.stale = False
    engine.sync("shelves", "s0")
    shop.prices, shop.stale = {"a": 5, "b": 2}, True
    engine.clock.advance(10)
    [run] = engine.sync("shelves", "s0")
    assert (run.error_class == "SnapshotOlder") is spared
    assert prices(shop) == ([1, 2] if spared else [5, 2])


@pytest.mark.parametrize("snapshot", [Kept])
def test_a_source_that_does_not_look_at_it_is_believed(engine: Windowed, shop: Shop) -> None:
    engine.sync("shelves", "s0")
    shop.prices, shop.stale = {"a": 9}, False
    [run] = engine.sync("shelves", "s0")
    assert (run.updated, run.deleted, run.error_class) == (1, 1, None)


@pytest.mark.parametrize("snapshot", [Kept])
def test_what_was_deleted_since_is_not_made_again(engine: Windowed, shop: Shop) -> None:
    engine.sync("shelves", "s0")
    shop.prices, shop.stale = {"a": 1}, False
    engine.sync("shelves", "s0")
    assert prices(shop) == [1]
    shop.stale = True
    [run] = engine.sync("shelves", "s0")
    assert (run.created, run.error_class, prices(shop)) == (0, "SnapshotOlder", [1])
    shop.prices["b"] = 3
    shop.pass_time(600)
    [run] = engine.sync("shelves", "s0")
    assert (run.created, run.error_class, prices(shop)) == (1, None, [1, 3])


def test_where_it_cannot_be_loaded_runs_keep_their_place_and_the_loader_is_left_alone(
        engine: Windowed, shop: Shop) -> None:
    shop.fails = OSError("the prices are away")
    runs = engine.sync("shelves", "s0", "s1", "s2")
    assert [(run.status, run.attempt, run.error_class) for run in runs] == [("pending", 0, "LoaderFailed")] * 3
    assert runs[0].error is not None
    assert "PriceList.load failed: OSError: the prices are away" in runs[0].error
    assert shop.loads == ["load"], "it is not called again for each of them"
    assert {window.ended_by for window in engine.windows_of("shelves")} == {"loader"}
    shop.fails = None
    shop.pass_time(60)
    engine.settle_all()
    assert [row[0] for row in engine.runs.values()] == ["succeeded"] * 3


def test_a_plan_looks_at_it_too_and_one_of_many_subjects_loads_it_once(engine: Windowed, shop: Shop) -> None:
    snapshots = Snapshots(lasting=True)
    for key in ("s0", "s1"):
        subject = Subject(key, "acme")
        with preview(engine.app.store, engine.app.definition("shelves"), subject, snapshots) as [plan]:
            assert plan.summary()["create"] == 2
    assert shop.loads == ["load"]


def test_a_verb_sees_it(engine: Windowed, shop: Shop) -> None:
    create, seen = shop.shelves.create, []

    def looks(changes: list[Change], run: Run) -> Any:
        seen.append(run.snapshot)
        return create(changes, run)

    shop.shelves.create = looks  # type: ignore[method-assign, assignment]
    engine.sync("shelves", "s0")
    assert seen == [{"a": 1, "b": 2}]
