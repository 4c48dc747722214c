"""Periodic tasks on a real store: one job for each tick, whoever asks, whatever the clock does."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock import Penstock, Unique
from penstock.domain.errors import ConfigurationError, DeclarationError
from penstock.events import Event, PeriodicReset
from penstock.schedule import periodic
from penstock.schedule.periodic import Periodic, Scheduler
from tests.clock import START_MS, Clock
from tests.waiting import until

MINUTE, HOUR, DAY = 60, 3600, 86_400
POLL_SECONDS = 1.0
FIRST_TICK = (START_MS // 300_000 + 1) * 300_000  # of `every=` five minutes


class Schedules:
    """One app's periodic tasks, and a scheduler that is moved a step at a time."""

    def __init__(self, app: Penstock) -> None:
        self.app = app
        self.told: list[Event] = []
        app.listen(self.told.append)
        self.report = app.task(lambda where: None, name="report", queue="nightly", priority=3)
        self.declared: dict[str, Periodic] = {}
        self.scheduler = Scheduler(app.store.control, app.events, self.declared, POLL_SECONDS)

    def declare(self, name: str = "report", call: Any = None, **given: Any) -> None:
        given = {"cron": None, "every": None, "timezone": "UTC", "missed": "once", **given}
        self.declared[name] = periodic.declare(name, call or self.report.call("eu"), taken=self.declared, **given)

    def step(self) -> float:
        return self.scheduler.step()

    def settle(self) -> None:
        """Step until there is nothing more to do at this time."""
        while self.step() == 0:
            pass


@pytest.fixture
def schedules(app: Penstock) -> Schedules:
    return Schedules(app)


@pytest.fixture
def jobs(clock: Clock) -> Callable[[], list[int]]:
    """The ticks of the jobs there are, in order."""
    return lambda: [row[0] for row in clock.fetch("select run_at from penstock.jobs order by run_at")]


def test_a_tick_gives_a_job_that_may_run_at_once(schedules: Schedules, clock: Clock):
    schedules.declare(cron="0 3 * * *", timezone="Europe/London")
    schedules.settle()
    clock.advance(DAY)
    schedules.settle()
    rows = clock.fetch("select task, queue, state, arguments, run_at from penstock.jobs")
    assert [row[:4] for row in rows] == [("report", "nightly", "available", '{"where":"eu"}')]
    assert rows[0][4] == 1_800_068_400_000  # 03:00 in London, in winter


def test_there_is_no_job_for_the_time_before_a_task_was_first_seen(schedules: Schedules, clock: Clock, jobs: Any):
    schedules.declare(every=timedelta(minutes=5), missed="all")
    schedules.settle()
    assert jobs() == []
    clock.advance((FIRST_TICK - START_MS) / 1000)
    schedules.settle()
    assert jobs() == [FIRST_TICK]


def test_a_step_says_when_the_next_is_needed(schedules: Schedules, clock: Clock):
    assert schedules.step() == POLL_SECONDS  # nothing is declared
    schedules.declare(every=timedelta(minutes=5))
    assert schedules.step() == POLL_SECONDS  # it sees the task for the first time
    clock.advance((FIRST_TICK - START_MS) / 1000 - 0.25)
    assert schedules.step() == 0.25
    clock.advance(0.25)
    assert schedules.step() == 0.0  # it enqueued
    assert schedules.step() == POLL_SECONDS


@pytest.mark.parametrize(("missed", "late", "expected"), [
    ("skip", 30, [12]), ("skip", 90, []), ("once", 90, [12]), ("all", 90, list(range(1, 13))),
])
def test_missed_ticks_follow_the_policy(schedules: Schedules, clock: Clock, jobs: Any, missed: str, late: int,
                                        expected: list[int]):
    schedules.declare(every=timedelta(minutes=5), missed=missed)
    schedules.settle()
    clock.advance((FIRST_TICK - START_MS) / 1000 + 55 * MINUTE + late)  # eleven ticks further
    schedules.settle()
    schedules.settle()
    assert jobs() == [FIRST_TICK + (number - 1) * 300_000 for number in expected]


@pytest.mark.parametrize(("conflict", "due"), [("replace", 2), ("keep_schedule", 0), ("skip", 0)])
def test_ticks_of_a_unique_call_meet_each_other(schedules: Schedules, clock: Clock, jobs: Any, conflict: Any, due: int):
    latest = schedules.app.task(name="latest", unique=Unique(conflict=conflict))(lambda where: None)
    schedules.declare(call=latest.call("eu"), every=timedelta(minutes=5), missed="all")
    schedules.settle()
    clock.advance((FIRST_TICK - START_MS) / 1000 + 10 * MINUTE)  # two ticks further
    schedules.settle()
    assert jobs() == [FIRST_TICK + due * 300_000]


def test_a_jump_ahead_is_made_up_for_in_bounded_steps(schedules: Schedules, clock: Clock, jobs: Any):
    schedules.declare(every=timedelta(seconds=1), missed="all")
    schedules.settle()
    clock.advance(2500)
    counts = []
    while schedules.step() == 0:
        counts.append(len(jobs()))
    assert counts == [1000, 2000, 2500]
    assert jobs() == list(range(START_MS + 1000, START_MS + 2_500_001, 1000))


def test_a_clock_that_goes_back_gives_no_tick_twice(schedules: Schedules, clock: Clock, jobs: Any):
    schedules.declare(every=timedelta(minutes=5), missed="all")
    schedules.settle()
    clock.advance(20 * MINUTE)
    schedules.settle()
    before = jobs()
    clock.advance(-20 * MINUTE)
    for _ in range(4):
        clock.advance(5 * MINUTE)
        schedules.settle()
    assert jobs() == before
    assert len(before) == 4
    clock.advance(5 * MINUTE)
    schedules.settle()
    assert len(jobs()) == 5
    assert not [event for event in schedules.told if isinstance(event, PeriodicReset)]


def test_a_clock_that_comes_back_from_far_ahead_begins_again(schedules: Schedules, clock: Clock, jobs: Any):
    schedules.declare(every=timedelta(minutes=5))
    schedules.settle()
    clock.advance(365 * DAY)
    schedules.settle()
    assert len(jobs()) == 1
    clock.advance(-365 * DAY)
    schedules.settle()
    reset = [event for event in schedules.told if isinstance(event, PeriodicReset)]
    assert [event.name for event in reset] == ["report"]
    assert reset[0].ahead_ms > 364 * DAY * 1000
    clock.advance(5 * MINUTE)
    schedules.settle()
    assert jobs()[0] == FIRST_TICK
    assert len(jobs()) == 2


def test_a_changed_schedule_begins_now(schedules: Schedules, clock: Clock, jobs: Any):
    schedules.declare(cron="0 3 * * *", missed="all")
    schedules.settle()
    clock.advance(3 * DAY)
    del schedules.declared["report"]
    schedules.declare(every=timedelta(hours=1), missed="all")
    schedules.settle()
    assert jobs() == []
    clock.advance(HOUR)
    schedules.settle()
    assert len(jobs()) == 1
    assert clock.fetch("select spec from penstock.periodic") == [("every 3600 s",)]


def test_two_versions_of_an_app_beside_each_other_lose_no_tick_that_both_have(
        schedules: Schedules, clock: Clock, jobs: Any, app: Penstock):
    """Each finds the other's schedule and changes it back, all the time: a deployment that rolls."""
    schedules.declare(cron="*/5 * * * *", missed="skip")
    declared: dict[str, Periodic] = {}
    declared["report"] = periodic.declare("report", schedules.report.call("eu"), cron=None, timezone="UTC",
                                          every=timedelta(minutes=5), missed="skip", taken={})
    newer = Scheduler(app.store.control, app.events, declared, POLL_SECONDS)
    schedules.settle()
    for number in range(30 * MINUTE // 5):
        clock.advance(5)
        (newer if number % 2 else schedules.scheduler).step()
    assert jobs() == [FIRST_TICK + number * 300_000 for number in range(6)]


def test_paused_ticks_are_not_made_up_for(schedules: Schedules, clock: Clock, jobs: Any, app: Penstock):
    schedules.declare(every=timedelta(minutes=5), missed="all")
    assert periodic.pause(app.store, schedules.declared, "report")  # before any scheduler has met it
    assert not periodic.pause(app.store, schedules.declared, "report")
    for _ in range(5):
        clock.advance(5 * MINUTE)
        schedules.settle()
    assert schedules.step() == POLL_SECONDS
    assert periodic.resume(app.store, schedules.declared, "report")
    assert not periodic.resume(app.store, schedules.declared, "report")
    schedules.settle()
    assert jobs() == []
    clock.advance(5 * MINUTE)
    schedules.settle()
    assert len(jobs()) == 1


def test_a_pause_stops_a_scheduler_that_has_already_looked(schedules: Schedules, clock: Clock, jobs: Any,
                                                           app: Penstock):
    schedules.declare(every=timedelta(minutes=5))
    schedules.settle()
    clock.advance(5 * MINUTE)
    rows, now = periodic.read(app.store)
    periodic.pause(app.store, schedules.declared, "report")
    assert schedules.scheduler._one(schedules.declared["report"], rows["report"], now) == 0
    assert jobs() == []


def test_an_entry_that_no_app_declares_is_left_alone(schedules: Schedules, clock: Clock, jobs: Any, app: Penstock):
    schedules.declare("kept", every=timedelta(minutes=5))
    schedules.declare("gone", every=timedelta(minutes=5))
    schedules.settle()
    del schedules.declared["gone"]
    clock.advance(5 * MINUTE)
    schedules.settle()
    assert len(jobs()) == 1
    assert set(periodic.read(app.store)[0]) == {"kept", "gone"}
    assert periodic.pause(app.store, schedules.declared, "gone")  # another app may declare it


def test_an_unknown_name_is_refused_with_the_nearest(schedules: Schedules, app: Penstock):
    schedules.declare("nightly-report", every=timedelta(minutes=5))
    with pytest.raises(ConfigurationError, match="got 'nightly-raport'; did you mean 'nightly-report'?"):
        periodic.pause(app.store, schedules.declared, "nightly-raport")
    with pytest.raises(ConfigurationError, match="expected the name of a periodic task, got 'x'"):
        periodic.resume(app.store, {}, "x")


def test_a_declaration_says_all_that_is_wrong_with_it(schedules: Schedules):
    schedules.declare(every=timedelta(minutes=5))
    with pytest.raises(DeclarationError) as caught:
        schedules.declare("Report!", call=schedules.report, cron="0 25 * * *", timezone="Europe/Lundon", missed="twice")
    assert len(caught.value.faults) == 5
    for fault, part in zip(caught.value.faults, (
            "expected a periodic task name of 1 to 64 of a-z", "bad hour", "did you mean 'Europe/London'?",
            "missed: expected one of skip, once, all", "expected a call to enqueue, such as report.call(\"eu\")"),
            strict=True):
        assert fault.startswith("periodic task 'Report!': ")
        assert part in fault
    with pytest.raises(DeclarationError, match="it is declared already"):
        schedules.declare(every=timedelta(minutes=5))


def test_a_call_with_a_time_of_its_own_is_refused(schedules: Schedules):
    late = schedules.report.using(run_after=timedelta(hours=1)).call("eu")
    with pytest.raises(DeclarationError, match="it is enqueued at its ticks: leave run_after out"):
        schedules.declare(call=late, every=timedelta(minutes=5))


def test_a_call_with_a_deadline_at_one_moment_is_refused(schedules: Schedules):
    late = schedules.report.using(deadline=datetime(2030, 1, 1, tzinfo=UTC)).call("eu")
    with pytest.raises(DeclarationError, match="most of its jobs would miss: give a timedelta"):
        schedules.declare(call=late, every=timedelta(minutes=5))
    schedules.declare(call=schedules.report.using(deadline=timedelta(hours=1)).call("eu"), every=timedelta(minutes=5))


@pytest.fixture
def racing(store_url: str, clock: Clock) -> Iterator[list[Schedules]]:
    """Schedulers with stores of their own, as in processes of their own."""
    with ExitStack() as stack:
        found = []
        for _ in range(5):
            schedules = Schedules(stack.enter_context(Penstock(store_url, now=clock.expression)))
            schedules.declare("five", every=timedelta(minutes=5), missed="all")
            schedules.declare("hourly", cron="0 * * * *", timezone="Europe/London")
            found.append(schedules)
        yield found


def test_any_number_of_schedulers_give_one_job_for_each_tick(racing: list[Schedules], clock: Clock, jobs: Any):
    rounds = 24
    together = threading.Barrier(len(racing))

    def run(schedules: Schedules) -> None:
        together.wait(30)
        schedules.settle()

    racing[0].settle()
    with ThreadPoolExecutor(len(racing)) as pool:
        for _ in range(rounds):
            clock.advance(5 * MINUTE)
            list(pool.map(run, racing))
    five = [FIRST_TICK + number * 300_000 for number in range(rounds)]
    hourly = [tick for tick in five if tick % 3_600_000 == 0]
    assert jobs() == sorted(five + hourly)


def test_schedulers_that_all_see_a_tick_give_one_job(racing: list[Schedules], clock: Clock, jobs: Any):
    """The narrowest race: everybody has read the row, and then everybody writes."""
    racing[0].settle()
    clock.advance(5 * MINUTE)
    together = threading.Barrier(len(racing))

    def run(schedules: Schedules) -> int:
        rows, now = periodic.read(schedules.app.store)
        together.wait(30)
        return schedules.scheduler._one(schedules.declared["five"], rows["five"], now)

    with ThreadPoolExecutor(len(racing)) as pool:
        assert sorted(pool.map(run, racing)) == [0, 0, 0, 0, 1]
    assert jobs() == [FIRST_TICK]


def test_workers_enqueue_what_is_due_and_run_it(store_url: str, clock: Clock):
    """Two workers with everything that belongs to them, over a clock that is moved by hand."""
    ran: queue.SimpleQueue[str] = queue.SimpleQueue()
    with ExitStack() as stack:
        # The clock's jumps are longer than a lease as it comes.
        settings = {"now": clock.expression, "poll_seconds": 0.05, "lease_seconds": DAY}
        apps = [stack.enter_context(Penstock(store_url, **settings)) for _ in range(2)]
        for app in apps:
            app.periodic("five", app.task(ran.put, name="say").call("five"), every=timedelta(minutes=5))
        for app in apps:
            worker = app.worker()
            worker.start()
            stack.callback(worker.stop)
        until("a worker has seen the task", lambda: clock.fetch("select 1 from penstock.periodic"))
        for _ in range(3):
            clock.advance(5 * MINUTE)
            assert ran.get(timeout=30) == "five"
        assert apps[0].pause_periodic("five")
        clock.advance(5 * MINUTE)
        assert apps[1].resume_periodic("five")
        clock.advance(5 * MINUTE)
        assert ran.get(timeout=30) == "five"
    assert ran.empty()
    runs = [row[0] for row in clock.fetch("select run_at from penstock.jobs order by run_at")]
    assert runs == [FIRST_TICK + number * 300_000 for number in (0, 1, 2, 4)]


def test_a_name_is_taken_once(app: Penstock):
    call = app.task(lambda: None, name="nothing").call()
    app.periodic("five", call, every=timedelta(minutes=5))
    with pytest.raises(DeclarationError, match="periodic task 'five': it is declared already"):
        app.periodic("five", call, cron="0 3 * * *")
