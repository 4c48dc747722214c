"""Windows and dispatchers at the same time: never more under way than is allowed, and every run served once."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Penstock, Window
from penstock.queue.claim import settle
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from tests.clock import Clock
from tests.engine import Engine

ACCOUNTS, GROUPS, THREADS = 4, 6, 4


class Watched:
    """A destination that notes how many runs are at it at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.there: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.served: Counter[str] = Counter()

    def create(self, changes: list[Change], run: Run) -> list[Done]:
        return [Done(f"r-{change.key}") for change in changes]

    update = delete = create

    def enter(self, account: str, by: int) -> None:
        with self.lock:
            for name in (account, "all"):
                self.there[name] += by
                self.most[name] = max(self.most[name], self.there[name])


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def engine(store_url: str, clock: Clock, watched: Watched) -> Iterator[Engine]:
    app = Penstock(store_url, now=clock.expression)

    class Doors(Layer[dict]):  # type: ignore[type-arg]
        key = "id"
        destination = watched

        def source(self, run: Run) -> Any:
            watched.enter(run.account, 1)
            watched.served[run.subject.key] += 1
            yield {"id": run.subject.key}
            watched.enter(run.account, -1)
            return Complete(1)

        def render(self, record: dict[str, str], run: Run) -> dict[str, str]:
            return record

    @app.sync("doors", max_concurrent=3, window=Window(total=60, headroom=1))
    class Sites(Sync[str]):
        layers = [Doors]

        def subjects(self) -> Iterator[Subject]:
            return iter(())

    with app:
        yield Engine(app, clock)


def test_never_over_what_is_allowed_and_each_once(engine: Engine, watched: Watched) -> None:
    requests = [{"sync": "doors", "subject": f"{account}-{group}", "account": f"a{account}", "priority": 0,
                 "reason": ""}
                for account in range(ACCOUNTS) for group in range(GROUPS)]
    engine.app.request(requests)
    found: list[BaseException] = []

    def serves() -> None:
        try:
            idle = 0
            while idle < 20:
                engine.app.dispatcher().step()
                jobs = engine.claim()
                idle = 0 if jobs else idle + 1
                for job in jobs:
                    settle(engine.app.store, [engine.execute(job)])
        except BaseException as error:
            found.append(error)

    threads = [threading.Thread(target=serves) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == []
    engine.settle_all()
    assert engine.clock.fetch("select status, count(*) from penstock.sync_runs group by status") == [
        ("succeeded", ACCOUNTS * GROUPS)]
    assert watched.most["all"] <= 3
    assert all(watched.most[f"a{account}"] == 1 for account in range(ACCOUNTS))
    assert watched.served == Counter({request["subject"]: 1 for request in requests})
    windows = engine.app.windows("doors")
    assert sum(window.served for window in windows) == ACCOUNTS * GROUPS
    assert all(window.ended_by in ("nothing more", "yielded", "no room") for window in windows)
