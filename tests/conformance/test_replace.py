"""Conflicts: an enqueue that meets its double replaces what waits, follows what runs, and leaves what has ended."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from penstock import Concurrency, Job, JobState, Penstock, RetryPolicy, Unique
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import LIVE_STATES, Claimed, Outcome
from penstock.queue.claim import claim, release, settle
from tests.clock import Clock
from tests.engine import Engine

DAY_MS = 86_400_000
OPAQUE = object()
REPLACE = Unique(args=("customer",), conflict="replace")
KEEP = Unique(args=("customer",), conflict="keep_schedule")
SKIP = Unique(args=("customer",))


@pytest.fixture
def sync(app: Penstock) -> Any:
    @app.task(name="sync", unique=REPLACE, retry=RetryPolicy(max_attempts=3))
    def sync(customer: int, note: str = "") -> None: ...

    return sync


@pytest.fixture
def engine(app: Penstock, sync: Any, clock: Clock) -> Engine:
    return Engine(app, clock)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def notes(jobs: Sequence[Claimed]) -> list[str]:
    return [msgspec.json.decode(job.arguments).get("note", "") for job in jobs]


def ends(engine: Engine, job: Claimed, state: str = "completed", **more: Any) -> None:
    assert settle(engine.app.store, [Outcome(job.id, job.lease, state, **{"keep_ms": DAY_MS, **more})]) == set()


def told(engine: Engine) -> None:
    """What others wait for has come through: the dispatcher folds what was said of it, and upkeep stages."""
    for _ in range(4):
        engine.dispatch()
    engine.app.upkeep().stage()


def counted(app: Penstock) -> dict[str, int]:
    return {each.state: each.jobs for each in app.counts()}


def all_is_well(clock: Clock, app: Penstock) -> None:
    """Every job that waits is where its state says, once; counters and keys say what there is."""
    live = clock.fetch("select id, state, queue, run_at - priority * 60000, line, coalesce(waits, 0)"
                       " from penstock.live_jobs")
    ready = clock.fetch("select id, queue, rank from penstock.ready_jobs")
    held = {id for id, state in clock.fetch("select id, state from penstock.jobs") if state == "executing"}
    assert sorted(ready) == sorted((id, queue, rank) for id, state, queue, rank, _, _ in live
                                   if state == "available" and id not in held)
    pending = clock.fetch("select id, line, rank, queue from penstock.pending_jobs")
    assert sorted(pending) == sorted((id, line, rank, queue) for id, state, queue, rank, line, waits in live
                                     if state == "pending" and not waits)
    states: dict[tuple[str, str, str], int] = {}
    for row in clock.fetch("select queue, task, state from penstock.jobs"):
        states[row] = states.get(row, 0) + 1
    assert {(each.queue, each.task, each.state): each.jobs for each in app.counts()} == states


class TestOneThatWaits:
    @pytest.mark.parametrize("waiting", ["available", "scheduled", "retryable", "pending"])
    def test_it_is_what_was_enqueued_last(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, waiting: str):
        if waiting == "pending":
            sync = app.task(name="lined", serial="customer", unique=REPLACE)(lambda customer, note="": None)
        first = sync.using(run_after=seconds(60) if waiting == "scheduled" else None, tags=["a"]).enqueue(7, note="old")
        if waiting == "retryable":
            (job,) = engine.claim("default")
            ends(engine, job, "retryable", delay_ms=60_000, error_class="Oops", error="no")
        assert clock.fetch("select state from penstock.jobs") == [(waiting,)]
        again = sync.using(priority=3, tags=["b"], deadline=seconds(90), queue="other", run_after=seconds(5)).enqueue(
            7, note="new")
        assert again == Job(first.id, sync.name, "other", replaced=True)
        (row,) = clock.fetch("select state, queue, priority, attempt, error_class, error, run_at, deadline_at, lost"
                             " from penstock.live_jobs")
        assert row == ("scheduled", "other", 3, 0, None, None, clock.now_ms + 5_000, clock.now_ms + 90_000, 0)
        all_is_well(clock, app)
        clock.advance(5)
        app.upkeep().stage()
        engine.register()
        told(engine)
        (job,) = engine.claim("other", 9)
        assert (job.id, notes([job]), job.attempt) == (first.id, ["new"], 1)
        all_is_well(clock, app)

    def test_a_scheduled_one_that_is_replaced_by_one_for_now_is_there_at_once(self, app: Penstock, sync: Any,
                                                                             engine: Engine, clock: Clock):
        id = sync.using(run_after=seconds(60)).enqueue(7, note="old").id
        assert sync.enqueue(7, note="new").id == id
        all_is_well(clock, app)
        assert notes(engine.claim("default", 9)) == ["new"]

    def test_it_counts_as_new_for_marks_and_cancellations(self, app: Penstock, sync: Any, engine: Engine):
        sync.using(tags=["t"]).enqueue(7)
        app.invalidate("t")
        sync.using(tags=["t"]).enqueue(7)
        assert engine.reasons() == [None]
        app.invalidate("t")
        assert engine.reasons() == ["invalidated"]
        (job,) = engine.claim("default")
        assert app.cancel(job.id) == JobState.EXECUTING
        release(app.store, [(job.id, job.lease)])
        assert sync.enqueue(7).replaced
        assert engine.reasons() == [None]

    def test_what_it_had_come_to_is_forgotten(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        """Or new arguments would begin where the old ones had got to."""
        id = sync.enqueue(7).id
        (job,) = engine.claim("default")
        told = {"ids": [id], "leases": [job.lease], "percents": [50.0], "notes": ["half"], "cursors": ["5"]}
        assert app.store.write(lambda tx: tx.batch("progress_save", told))
        ends(engine, job, "retryable", delay_ms=0)
        assert sync.enqueue(7).replaced
        assert clock.fetch("select count(*) from penstock.progress") == [(0,)]

    def test_it_may_change_its_line(self, app: Penstock, engine: Engine, clock: Clock):
        @app.task(name="invoice", serial="account", concurrency=Concurrency(2, by="region"), unique=REPLACE)
        def invoice(customer: int, account: str, region: str = "eu", note: str = "") -> None: ...

        blocking = invoice.enqueue(1, "a")
        told(engine)
        (running,) = engine.claim("default", 9)
        assert running.id == blocking.id
        met = invoice.enqueue(2, "a")
        told(engine)
        assert engine.claim("default", 9) == []
        assert invoice.enqueue(2, "b", note="new") == Job(met.id, "invoice", "default", replaced=True)
        all_is_well(clock, app)
        told(engine)
        (job,) = engine.claim("default", 9)
        assert notes([job]) == ["new"]
        ends(engine, job)
        ends(engine, running)
        told(engine)
        assert clock.fetch("select line from penstock.lines where running <> 0 or turn is not null") == []

    def test_one_that_was_admitted_gives_its_place_back(self, app: Penstock, engine: Engine, clock: Clock):
        invoice = app.task(name="invoice", serial="account", unique=REPLACE)(lambda customer, account, note="": None)
        met = invoice.enqueue(1, "a")
        told(engine)
        assert clock.fetch("select state from penstock.jobs") == [("available",)]
        other = invoice.enqueue(2, "a")
        assert invoice.using(run_after=seconds(60)).enqueue(1, "a", note="new").id == met.id
        all_is_well(clock, app)
        told(engine)
        assert [job.id for job in engine.claim("default", 9)] == [other.id]

    def test_the_period_begins_anew(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        launch = sync.using(unique=Unique(args=("customer",), period=seconds(10), conflict="replace"))
        id = launch.enqueue(7).id
        clock.advance(9)
        assert launch.enqueue(7).id == id
        clock.advance(9)
        assert launch.enqueue(7).id == id
        clock.advance(10)
        assert not launch.enqueue(7).replaced

    def test_only_while_it_waits_for_its_time(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        only = sync.using(unique=Unique(args=("customer",), states=("scheduled",), conflict="replace"),
                          run_after=seconds(10))
        now = sync.using(unique=Unique(args=("customer",), states=("scheduled",), conflict="replace"))
        id = only.enqueue(7).id
        assert only.enqueue(7) == Job(id, "sync", "default", replaced=True)
        assert now.enqueue(7) == Job(id, "sync", "default", replaced=True)  # which is available, and lets go of its key
        assert now.enqueue(7).id != id
        assert len(engine.claim("default", 9)) == 2

    def test_keep_schedule_keeps_the_time_at_which_it_is_due(self, app: Penstock, sync: Any, engine: Engine,
                                                            clock: Clock):
        launch = sync.using(unique=KEEP, run_after=seconds(10))
        id = launch.enqueue(7, note="old").id
        due = clock.now_ms + 10_000
        clock.advance(4)
        again = sync.using(unique=KEEP, run_after=seconds(60), priority=2).enqueue(7, note="new")
        assert again == Job(id, "sync", "default", replaced=True)
        assert clock.fetch("select run_at, priority from penstock.live_jobs") == [(due, 2)]
        all_is_well(clock, app)
        clock.advance(6)
        app.upkeep().stage()
        assert sync.using(unique=KEEP, run_after=seconds(60)).enqueue(7, note="newest").id == id
        all_is_well(clock, app)
        assert notes(engine.claim("default", 9)) == ["newest"]


class TestOneThatRuns:
    @pytest.mark.parametrize("unique", [REPLACE, KEEP])
    def test_a_new_one_waits_until_it_has_ended(self, app: Penstock, sync: Any, engine: Engine, clock: Clock,
                                               unique: Unique):
        sync = sync.using(unique=unique)
        first = sync.enqueue(7, note="old")
        (running,) = engine.claim("default", 9)
        behind = sync.enqueue(7, note="new")
        assert (behind.skipped, behind.replaced) == (False, False)
        assert behind.id != first.id
        assert sync.enqueue(7, note="newest") == Job(behind.id, "sync", "default", replaced=True)
        told(engine)
        assert engine.claim("default", 9) == []
        all_is_well(clock, app)
        ends(engine, running)
        told(engine)
        (job,) = engine.claim("default", 9)
        assert (job.id, notes([job])) == (behind.id, ["newest"])
        all_is_well(clock, app)
        ends(engine, job)
        assert clock.fetch("select count(*) from penstock.unique_keys") == [(0,)]
        assert counted(app) == {"completed": 2}

    @pytest.mark.parametrize("end", ["retried", "released", "rescued", "discarded", "cancelled"])
    def test_however_that_ends(self, app: Penstock, sync: Any, engine: Engine, clock: Clock, end: str):
        """What goes on goes first."""
        sync.enqueue(7, note="old")
        (running,) = engine.claim("default", 9)
        behind = sync.enqueue(7, note="new")
        told(engine)
        if end in ("discarded", "cancelled"):
            ends(engine, running, end)
        else:
            if end == "retried":
                ends(engine, running, "retryable", delay_ms=1_000)
            elif end == "released":
                release(app.store, [(running.id, running.lease)])
            else:
                clock.advance(31)
                assert app.upkeep().rescue() == 1
                engine.register()
            told(engine)
            clock.advance(1)
            told(engine)
            (running,) = engine.claim("default", 9)
            assert notes([running]) == ["old"]
            assert sync.enqueue(7, note="newest").id == behind.id
            ends(engine, running)
        told(engine)
        (job,) = engine.claim("default", 9)
        assert job.id == behind.id
        all_is_well(clock, app)

    def test_one_that_is_due_later_waits_for_both(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        sync.enqueue(7, note="old")
        (running,) = engine.claim("default", 9)
        behind = sync.using(run_after=seconds(10)).enqueue(7, note="new")
        ends(engine, running)
        told(engine)
        assert clock.fetch(f"select state from penstock.jobs where id = {behind.id}") == [("scheduled",)]
        assert engine.claim("default", 9) == []
        clock.advance(10)
        told(engine)
        assert [job.id for job in engine.claim("default", 9)] == [behind.id]

    def test_a_skip_meets_the_one_behind(self, app: Penstock, sync: Any, engine: Engine):
        sync.enqueue(7)
        assert engine.claim("default", 9)
        behind = sync.enqueue(7, note="new")
        assert sync.using(unique=SKIP).enqueue(7) == Job(behind.id, "sync", "default", skipped=True)

    def test_of_a_serial_task_it_waits_in_its_line_after_that(self, app: Penstock, engine: Engine, clock: Clock):
        lined = app.task(name="lined", serial="customer", unique=REPLACE)(lambda customer, note="": None)
        lined.enqueue(7, note="old")
        told(engine)
        (running,) = engine.claim("default", 9)
        behind = lined.enqueue(7, note="new")
        assert lined.enqueue(7, note="newest").id == behind.id
        ends(engine, running)
        told(engine)
        (job,) = engine.claim("default", 9)
        assert (job.id, notes([job])) == (behind.id, ["newest"])
        all_is_well(clock, app)


class TestOneThatHasEnded:
    def test_it_is_left_as_it_is(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        launch = sync.using(unique=Unique(args=("customer",), states=(*LIVE_STATES, "completed"), conflict="replace"))
        id = launch.enqueue(7, note="old").id
        (job,) = engine.claim("default", 9)
        ends(engine, job)
        assert launch.enqueue(7, note="new") == Job(id, "sync", "default", skipped=True)
        assert app.requeue(id)
        assert launch.enqueue(7, note="new") == Job(id, "sync", "default", replaced=True)
        assert notes(engine.claim("default", 9)) == ["new"]

    def test_without_its_key_it_is_not_met(self, sync: Any, engine: Engine):
        id = sync.enqueue(7).id
        (job,) = engine.claim("default", 9)
        ends(engine, job)
        again = sync.enqueue(7)
        assert (again.replaced, again.skipped, again.id != id) == (False, False, True)


class TestInBulk:
    def test_the_last_wins_and_all_name_its_job(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        plain = app.task(lambda number: None, name="plain")
        met = sync.enqueue(1, note="old")
        made = app.enqueue_many([sync.call(1, note="a"), plain.call(1), sync.call(2, note="b"), sync.call(1, note="c"),
                                 sync.call(2, note="d"), plain.call(2)])
        assert [(job.task, job.replaced) for job in made] == [
            ("sync", True), ("plain", False), ("sync", False), ("sync", True), ("sync", True), ("plain", False)]
        assert not any(job.skipped for job in made)
        assert made[0].id == made[3].id == met.id
        assert made[2].id == made[4].id
        assert sorted(notes(engine.claim("default", 9))) == ["", "", "c", "d"]
        all_is_well(clock, app)

    def test_modes_may_be_mixed_as_if_made_one_after_the_other(self, app: Penstock, sync: Any, engine: Engine,
                                                              clock: Clock):
        def call(unique: Unique, note: str, after: int, customer: int) -> Any:
            return sync.using(unique=unique, run_after=seconds(after)).call(customer, note=note)

        first = sync.using(run_after=seconds(50)).enqueue(3, note="old")
        made = app.enqueue_many([
            call(SKIP, "1a", 10, 1), call(KEEP, "1b", 20, 1), call(SKIP, "1c", 30, 1),
            call(KEEP, "2a", 10, 2), call(REPLACE, "2b", 20, 2), call(KEEP, "2c", 30, 2),
            call(SKIP, "3a", 10, 3), call(KEEP, "3b", 20, 3)])
        assert [(job.skipped, job.replaced) for job in made] == [
            (False, False), (False, True), (True, False), (False, False), (False, True), (False, True),
            (True, False), (False, True)]
        assert len({job.id for job in made}) == 3
        assert made[6].id == first.id
        rows = clock.fetch(f"select arguments, run_at - {clock.now_ms} from penstock.live_jobs order by id")
        assert [(msgspec.json.decode(arguments)["note"], due) for arguments, due in rows] == [
            ("3b", 50_000), ("1b", 10_000), ("2c", 20_000)]

    def test_behind_what_runs(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        sync.enqueue(1)
        (running,) = engine.claim("default", 9)
        made = app.enqueue_many([sync.using(unique=SKIP).call(1, note="a"), sync.call(1, note="b"),
                                 sync.call(1, note="c")])
        assert [(job.skipped, job.replaced) for job in made] == [(True, False), (False, False), (False, True)]
        assert len({job.id for job in made}) == 1
        ends(engine, running)
        told(engine)
        assert notes(engine.claim("default", 9)) == ["c"]

    def test_many(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        app.enqueue_many(sync.call(number, note="old") for number in range(0, 600, 2))
        running = engine.claim("default", 100)
        made = app.enqueue_many(sync.call(number, note="new") for number in range(600))
        assert sum(job.replaced for job in made) == 200
        all_is_well(clock, app)
        for job in running:
            ends(engine, job)
        told(engine)
        assert notes(engine.claim("default", 1000)) == ["new"] * 600


class TestWhatCannotBe:
    def test_an_unknown_conflict(self):
        with pytest.raises(DeclarationError, match="expected conflict to be one of skip, replace, keep_schedule, got"
                                                   " 'replce'; did you mean 'replace'"):
            Unique(conflict="replce")  # type: ignore[arg-type]

    def test_a_key_that_cannot_be_encoded(self, app: Penstock, sync: Any, engine: Engine, clock: Clock):
        """It fails in the caller, before anything of the call is written."""
        loose = app.task(lambda what, note="": None, name="loose", unique=Unique(args=("what",), conflict="replace"))
        with pytest.raises(InvalidArguments, match="argument 'what'"):
            app.enqueue_many(loose.call(what) for what in ("a", object()))
        looser = app.task(lambda what=OPAQUE, note="": None, name="looser", unique=Unique(args=("what",)))
        with pytest.raises(InvalidArguments, match="the default of 'what' cannot be part of a unique key"):
            app.enqueue_many([looser.call("a"), looser.call(note="b")])
        assert clock.fetch("select count(*) from penstock.jobs") == [(0,)]
        assert claim(app.store, engine.worker_id, {"default": 9}) == []
