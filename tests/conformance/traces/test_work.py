"""Every attempt, window, run and layer has a trace, whoever serves it."""

import asyncio
import time

import pytest

from penstock import Chunk, Jobs, Penstock, Rate, Window
from penstock.domain.traces import PHASES, TraceSeen
from penstock.observe import reading
from penstock.observe.trace import QUERIED, active
from tests.clock import START_MS, Clock
from tests.conformance import process_app
from tests.conformance.sync_app import Directory
from tests.conformance.workers import Workers
from tests.phases import phases_add_up
from tests.waiting import until

SPAN = START_MS - 3_600_000, START_MS + 3_600_000


def kept(app: Penstock) -> dict[tuple[str, str], TraceSeen]:
    assert app.recorder is not None
    app.recorder.flush()
    return {(seen.kind, seen.name): seen for seen in reading.traces(app.store, *SPAN)}


def phases(seen: TraceSeen) -> dict[str, int]:
    assert phases_add_up(seen.phases, seen.total_us)
    return dict(zip(PHASES, seen.phases, strict=True))


def tell() -> None:
    trace = active.get()
    assert trace is not None
    trace.enter(QUERIED)
    trace.statement("select a", "psycopg", None, trace.leave(QUERIED) - trace._at, 1, None)


def test_a_call_with_many_jobs_has_one_trace(app: Penstock):
    @app.task(name="index", chunk=Chunk(size=10))
    def index(jobs: Jobs[int]) -> None:
        tell()

    @app.task(name="refuses", chunk=Chunk(size=10))
    def refuses(jobs: Jobs[int]) -> None:
        raise ValueError("no")

    app.enqueue_many(task.call(number) for number in range(7) for task in (index, refuses))
    app.drain(Window(total=50, headroom=10), slots=1)
    seen = kept(app)
    assert seen["task", "index"].traces == 1
    assert seen["task", "refuses"].failed == 1


@pytest.mark.parametrize("by", ["worker", "drain", "drain here"])
def test_attempts_are_traced(app: Penstock, clock: Clock, workers: Workers, by: str):
    @app.task(name="noop")
    def noop() -> None:
        pass

    @app.task(name="reads")
    def reads() -> None:
        tell()

    @app.task(name="areads")
    async def areads() -> None:
        tell()
        await asyncio.sleep(0)

    @app.task(name="works")
    def works() -> None:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass

    @app.task(name="fails", retry=None)
    def fails() -> None:
        raise ValueError("no")

    for task in (noop, reads, areads, works):
        for _ in range(3):
            task.enqueue()
    fails.enqueue()
    clock.advance(5)  # for so long they are due
    if by == "worker":
        workers.start()
        workers.wait_for({"completed": 12, "retryable": 1})
    else:
        app.drain(Window(total=60, headroom=5), slots=1 if by == "drain here" else 3)
    app.close() if by == "worker" else None
    found = kept(app)
    assert {of: (seen.traces, seen.failed) for of, seen in found.items()} == {
        ("task", "noop"): (3, 0), ("task", "reads"): (3, 0), ("task", "areads"): (3, 0), ("task", "works"): (3, 0),
        ("task", "fails"): (1, 1)}
    assert active.get() is None
    assert phases(found["task", "reads"])["waited"] == 15_000_000
    if by == "drain here":  # on one thread: once it was seen to take longer
        assert phases(found["task", "works"])["computed"] > 0
    assert found["task", "works"].total_us >= 6000
    statements = reading.statements(app.store, *SPAN)
    assert {of: [(seen.calls, seen.traces) for seen in each] for of, each in statements.items()} == {
        ("task", "reads"): [(3, 3)], ("task", "areads"): [(3, 3)]}
    slow = {each.name: each for each in reading.slow_traces(app.store, *SPAN)}
    assert slow["fails"].failed
    assert slow["fails"].job_id is not None
    assert slow["fails"].about == {"queue": "default", "attempt": 1, "error": "ValueError: no"}


def test_what_a_child_computes_is_computed(app: Penstock, workers: Workers):
    """Its time on the CPU is the child's own word; what else it does is not seen."""
    process_app.declare(app, process_app.computes)
    app.tasks["computes"].enqueue(20)
    worker = workers.start({"default": 1})
    workers.wait_for({"completed": 1})
    worker.stop()
    assert phases(kept(app)["task", "computes"])["computed"] >= 20_000


def test_a_wait_for_a_permit_is_a_phase_of_its_own(app: Penstock, clock: Clock):
    app.monotonic, app.sleep = lambda: clock.passed, clock.sleep

    @app.task(name="limited", limits=[Rate(1, per="second")])
    def limited() -> None:
        pass

    for _ in range(3):
        limited.enqueue()
    app.drain(Window(total=60, headroom=5), slots=1)
    seen = kept(app)["task", "limited"]
    assert phases(seen)["limited"] > 0


def test_windows_runs_and_layers_are_traced_each_inside_of_the_other(store_url: str, clock: Clock,
                                                                     directory: Directory):
    with directory.app(store_url, clock.expression) as app:
        app.migrate()
        app.request([{"sync": "directory", "subject": "g1", "priority": 0, "reason": ""}])
        app.dispatcher().step()
        clock.advance(5)
        app.drain(Window(total=60, headroom=5), slots=1)
        found = kept(app)
        assert {of: seen.traces for of, seen in found.items()} == {
            ("window", "directory"): 1, ("run", "directory"): 1, ("layer", "directory/Everybody"): 1,
            ("layer", "directory/Rooms"): 1, ("layer", "directory/Members"): 1}
        window, run = found["window", "directory"], found["run", "directory"]
        layers = [seen for (kind, _), seen in found.items() if kind == "layer"]
        assert window.total_us >= run.total_us >= sum(seen.total_us for seen in layers)
        for seen in (window, run):
            told = phases(seen)
            assert told["read"] > 0
            assert told["called"] > 0
        assert (phases(run)["waited"], phases(window)["waited"]) == (5_000_000, 5_000_000)
        assert phases(run)["called"] >= sum(phases(seen)["called"] for seen in layers) - len(layers)
        (slow,) = reading.slow_traces(app.store, *SPAN, kind="run")
        assert (slow.subject, slow.account) == ("g1", "acme")
        assert slow.run_id is not None
        (slow,) = reading.slow_traces(app.store, *SPAN, kind="window")
        assert slow.slices[-1].until_us == slow.took_us
        assert {"read", "called"} <= {phase for each in slow.slices for phase in each.phases}
        passed = [span for span in slow.spans if span.phase == "inside"]
        assert max(passed, key=lambda span: span.took_us).what == "run 1 of directory, g1 of acme"
        assert all(0 <= span.at_us <= span.at_us + span.took_us <= slow.took_us for span in passed)


def test_with_traces_off_nothing_is_kept(store_url: str, clock: Clock):
    with Penstock(store_url, now=clock.expression, traces=False) as app:
        @app.task(name="reads")
        def reads() -> None:
            assert active.get() is None

        reads.enqueue()
        app.drain(Window(total=60, headroom=5), slots=1)
        assert reading.traces(app.store, *SPAN) == []
        assert app.worker() is not None


def test_what_takes_long_is_sampled(app: Penstock, workers: Workers):
    @app.task(name="slow")
    def slow() -> None:
        until("the slot's thread is sampled", lambda: (trace := active.get()) is not None and trace.flame)

    @app.task(name="aslow")
    async def aslow() -> None:
        trace = active.get()
        assert trace is not None
        while not trace.flame:  # noqa: ASYNC110 - nobody tells of samples
            await asyncio.sleep(0)

    slow.enqueue()
    aslow.enqueue()
    workers.start()
    workers.wait_for({"completed": 2})
    app.close()
    found = reading.flames(app.store, *SPAN)
    assert set(found) == {("task", "slow"), ("task", "aslow")}
    assert all("test_work.test_what_takes_long_is_sampled." in stack for stacks in found.values() for stack in stacks)
    (one,) = reading.slow_traces(app.store, *SPAN, name="slow")
    assert one.flame == found["task", "slow"]
