"""Work is noticed at once in the process that made it, and looking for work in vain disturbs nobody."""

from contextlib import closing
from typing import Any

from penstock.queue.claim import claim
from penstock.store.port import Store
from tests.clock import Clock


def test_a_claim_that_finds_nothing_writes_nothing(store: Store, clock: Clock):
    before = state_of(store, clock)
    assert claim(store, worker_id=1, room={"default": 10, "mail": 1}) == []
    assert state_of(store, clock) == before


def state_of(store: Store, clock: Clock) -> Any:
    """What changes with every transaction that writes."""
    if store.dialect == "sqlite":
        return clock.fetch("pragma data_version")
    return clock.fetch("select pg_snapshot_xmax(pg_current_snapshot())")


def test_a_wake_is_noticed_in_the_same_process_before_it_returns(store):
    noticed: list[bool] = []
    with closing(store.watch(lambda: noticed.append(True))):
        before = len(noticed)
        store.wake()
        assert len(noticed) > before


def test_a_watch_that_was_closed_notices_nothing(store):
    noticed: list[bool] = []
    store.watch(lambda: noticed.append(True)).close()
    before = len(noticed)
    store.wake()
    assert len(noticed) == before


def test_a_watch_that_begins_while_another_does_is_woken_as_well(store):
    noticed: list[str] = []

    class Ended:
        """One of which is asked just when somebody else begins to watch."""

        begun: list[Any] = []
        asked = False

        @property
        def running(self) -> bool:
            if not self.asked:
                self.asked = True
                self.begun += [store.watch(lambda: noticed.append("meanwhile")) for _ in range(2)]
            return False

        def wake(self) -> None: ...

        def close(self) -> None: ...

    ended = Ended()
    kept = store._watches if hasattr(store, "_watches") else store._listeners
    kept.add(ended)
    with closing(store.watch(lambda: noticed.append("last"))), closing(ended.begun[0]), closing(ended.begun[1]):
        assert len(kept & {ended, *ended.begun}) == 2, "who has ended goes, and they stay"
        noticed.clear()
        store.wake()
        assert set(noticed) == {"meanwhile", "last"}
