"""What was taken to be written still counts as unwritten."""

from collections import deque
from typing import Any

import msgspec
import pytest

from penstock.domain.errors import StoreUnavailable
from penstock.domain.jobs import Outcome
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt
from penstock.worker import settling as module
from penstock.worker.settling import Ended, Settling


class Asking(deque[Ended]):
    """Asks whether all is written each time that something was taken out."""

    def __init__(self, settling: Settling) -> None:
        super().__init__()
        self.settling = settling
        self.answers: list[bool] = []

    def popleft(self) -> Ended:
        row = super().popleft()
        self.answers.append(self.settling.drain(0))
        return row


@pytest.fixture
def settling() -> Settling:
    store: Any = None
    return Settling(store, Events(), lambda batch: None)


def test_what_was_taken_out_and_is_not_yet_written_is_waited_for(settling: Settling, attempt: Attempt,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Asking(settling)
    monkeypatch.setattr(settling, "_rows", rows)
    monkeypatch.setattr(module, "settle", lambda store, outcomes, ended, told: set())
    settling.add(attempt, Outcome(attempt.job.id, attempt.job.lease, "completed"))
    settling.step()
    assert rows.answers == [False]
    assert settling.drain(0)


def test_what_could_not_be_written_is_kept_in_its_order(settling: Settling, attempt: Attempt,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def away(*_: object) -> set[int]:
        raise StoreUnavailable("away")

    def there(store: object, outcomes: list[Outcome], ended: object, told: object) -> set[int]:
        written.extend(outcome.id for outcome in outcomes)
        return set()

    for id in (1, 2, 3):
        settling.add(attempt, Outcome(id, attempt.job.lease, "completed"))
    monkeypatch.setattr(module, "settle", away)
    with pytest.raises(StoreUnavailable):
        settling.step()
    assert not settling.drain(0)
    monkeypatch.setattr(module, "settle", there)
    settling.step()
    assert written == [1, 2, 3]
    assert settling.drain(0)


def test_progress_that_could_not_be_saved_is_saved_later(settling: Settling, attempt: Attempt,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[list[tuple[int, float, str | None]]] = []
    first, second = attempt, Attempt(msgspec.structs.replace(attempt.job, id=2), attempt.identity, attempt.stopping)
    first.tell = second.tell = settling.tell

    class Away:
        def run(self, name: str, columns: dict[str, Any]) -> None:
            second.checkpoint(percent=75)
            raise StoreUnavailable("away")

    class There:
        def run(self, name: str, columns: dict[str, Any]) -> None:
            saved.append(sorted(zip(columns["ids"], columns["percents"], columns["notes"], strict=True)))

    monkeypatch.setattr(module, "_PROGRESS_SECONDS", 0.0)
    first.checkpoint(percent=50)
    second.checkpoint(percent=50, note="half")
    monkeypatch.setattr(settling, "_store", Away())
    with pytest.raises(StoreUnavailable):
        settling.step()
    monkeypatch.setattr(settling, "_store", There())
    settling.step()
    settling.step()
    assert saved == [sorted([(first.id, 50.0, None), (2, 75.0, "half")])]
