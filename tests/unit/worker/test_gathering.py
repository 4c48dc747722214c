"""Jobs are gathered by task, until there are enough of them or the first has waited, by a clock of the test's own."""

import threading
from dataclasses import dataclass, field

import pytest

from penstock.domain.chunks import Chunk
from penstock.domain.jobs import Claimed
from penstock.domain.pools import Pool
from penstock.queue.attempt import Attempt, Identity
from penstock.queue.chunk import ChunkAttempt
from penstock.worker.gathering import Gathering
from penstock.worker.lane import BATCH, Lane

INDEX, RESIZE = Chunk(size=3, wait=2), Chunk(size=2, wait=5)
ME = Identity(1, 1e12)


@dataclass
class Time:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Kept:
    """A pool that runs nothing."""

    attempts: list[Attempt] = field(default_factory=list)

    def submit(self, attempts: list[Attempt]) -> None:
        self.attempts += attempts

    def waiting(self) -> int:
        return len(self.attempts)

    running = withdraw = lambda self: self.attempts
    replace = close = lambda self, *_: None


def job(id: int, task: str = "index", deadline_ms: int | None = None) -> Claimed:
    return Claimed(id, 1, task, "default", "{}", 1, 5, deadline_ms=deadline_ms)


def called(jobs: list[Claimed], identity: Identity, deadlines: dict[int, float]) -> ChunkAttempt:
    return ChunkAttempt(jobs[0], identity, threading.Event(), jobs=jobs, deadlines=deadlines)


def ids(calls: list[ChunkAttempt]) -> list[list[int]]:
    return [[each.id for each in call.claimed] for call in calls]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def gathering(time: Time) -> Gathering:
    return Gathering(called, time)


def test_each_task_by_itself_until_there_are_enough(gathering: Gathering):
    assert gathering.add(job(1), INDEX, ME) is None
    assert gathering.add(job(2, "resize"), RESIZE, ME) is None
    assert gathering.add(job(3), INDEX, ME) is None
    assert gathering.count == 3
    assert gathering.missing() == 2
    assert gathering.places() == pytest.approx(2 / 3 + 1 / 2)
    complete = gathering.add(job(4), INDEX, ME)
    assert complete is not None
    assert ids([complete]) == [[1, 3, 4]]
    assert gathering.count == 1


def test_or_the_first_has_waited(gathering: Gathering, time: Time):
    assert gathering.seconds_left() is None
    gathering.add(job(1), INDEX, ME)
    time.now += 1.5
    gathering.add(job(2), INDEX, ME)
    gathering.add(job(3, "resize"), RESIZE, ME)
    assert gathering.due() == []
    assert gathering.seconds_left() == 0.5
    time.now += 0.5
    assert ids(gathering.due()) == [[1, 2]]
    assert gathering.seconds_left() == 4.5
    gathering.add(job(4), INDEX, ME)  # the next ones wait from now on
    assert gathering.seconds_left() == 2
    assert ids(gathering.rest()) == [[3], [4]]
    assert gathering.count == 0


def test_what_another_identity_claimed_is_not_mixed_in(gathering: Gathering):
    gathering.add(job(1), INDEX, ME)
    another = Identity(2, 1e12)
    assert gathering.of_others(ME) == []
    assert ids(gathering.of_others(another)) == [[1]]
    gathering.add(job(2), INDEX, another)
    assert ids(gathering.rest()) == [[2]]


def test_a_call_knows_the_deadlines_of_its_jobs(gathering: Gathering):
    gathering.add(job(1), INDEX, ME)
    gathering.add(job(2, deadline_ms=10**9), INDEX, ME)
    (call,) = gathering.rest()
    assert list(call.deadlines) == [2]


class TestRoom:
    @pytest.fixture
    def lane(self, gathering: Gathering) -> Lane:
        pool = Kept()
        return Lane("default", 4, lambda slots, kind: pool, gathering)

    def test_as_many_jobs_as_go_into_the_slots(self, lane: Lane, gathering: Gathering):
        assert lane.room() == 4
        lane.per_call = 100
        assert lane.room() == 400
        for id in range(30):
            gathering.add(job(id), Chunk(100), ME)
        assert lane.room() == 370

    def test_what_is_gathered_keeps_a_free_slot_from_nobody(self, lane: Lane, gathering: Gathering):
        """Nobody knows whether more of its kind comes at all, and what comes may be of another."""
        lane.per_call = 1.01
        for id in range(99):
            gathering.add(job(id, f"task {id % 11}"), Chunk(10), ME)
        assert gathering.places() > lane.slots
        assert lane.room() >= 1

    def test_a_call_is_one_attempt(self, lane: Lane):
        lane.per_call = 100
        call = called([job(id) for id in range(100)], ME, {})
        lane.take([(call, Pool.THREADS)])
        assert lane.under_way == 1
        assert lane.room() == 300
        lane.settled([1, 0, 0], 0.0)
        assert lane.under_way == 0

    def test_never_more_than_a_batch_at_once(self, lane: Lane):
        lane.per_call = 10_000
        assert lane.room() == BATCH

    def test_short_calls_are_claimed_ahead_of_by_jobs(self, lane: Lane):
        """As many jobs ahead as there would be of plain ones, at most, however short the calls are."""
        lane.per_call = 1000
        lane.settled([1, 0, 0], 1e-6)
        lane.take([(called([job(id)], ME, {}), Pool.THREADS) for id in range(9)])
        assert lane.room() <= 0
