"""Work is noticed at once in the process that made it, and looking for work in vain disturbs nobody."""

from contextlib import closing
from typing import Any

from penstock.queue.claim import claim
from penstock.store.port import Store


class ReadOnly:
    """A store to which nothing may be written."""

    def __init__(self, store: Store) -> None:
        self.read = store.read

    def write(self, work: Any) -> Any:
        raise AssertionError("something was written")


def test_a_claim_that_finds_nothing_writes_nothing(store):
    assert claim(ReadOnly(store), worker_id=1, room={"default": 10, "mail": 1}) == []


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
