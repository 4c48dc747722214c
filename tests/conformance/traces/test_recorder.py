"""What was traced is added up and written, by each process in rows of its own, and read back as the sum of all."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from penstock import Penstock
from penstock.domain.parameters import Keeping
from penstock.observe import reading
from penstock.observe.recorder import Recorder
from penstock.observe.retention import prune
from penstock.observe.slowness import Told
from penstock.observe.totals import FAILED, SLOWEST
from penstock.observe.trace import MOST, QUERIED, Trace
from penstock.store.port import Store
from tests.clock import START_MS, Clock
from tests.phases import phases_add_up

HOUR = 3_600_000
DATABASE = "postgresql://db:5432/shop"
TEXT = "select id from record where client_id = %s and status = 'pending' and mail <> 'ann@example.org'"


@pytest.fixture
def recorder(store: Store) -> Iterator[Recorder]:
    found = Recorder(lambda: store, every_seconds=3600)
    yield found
    found.close()


def traced(name: str = "nightly", *, took_ms: int = 5, statements: int = 2, failed: bool = False,
           kind: str = "task", parameter: object = 7) -> Trace:
    """A trace that has ended, which took as long as it is said to have."""
    trace = Trace(kind, name)
    trace.began = trace._at = trace.began - took_ms * 1_000_000
    for number in range(statements):
        trace.enter(QUERIED)
        trace.leave(QUERIED)
        told(trace, number, parameter)
    trace.called("GET", "api.example", "/groups/17", 2_000_000)
    trace.about = {"job_id": 5, "subject": "g1", "account": "acme", "attempt": 1}
    trace.flame = {"main;calculate": 3}
    trace.end(failed=failed, cpu_ns=1_000_000)
    return trace


def told(trace: Trace, number: int, parameter: object) -> None:
    trace.statement(TEXT, "psycopg", DATABASE, 1_000_000 * (number + 1), 1, (parameter, "secret"))


def all_of(store: Store) -> tuple[int, int]:
    return START_MS - 48 * HOUR, START_MS + 48 * HOUR


def test_what_was_traced_is_read_back(store: Store, recorder: Recorder):
    recorder.ended(traced())
    recorder.ended(traced(failed=True))
    recorder.flush()
    (seen,) = reading.traces(store, *all_of(store))
    assert (seen.kind, seen.name, seen.since, seen.traces, seen.failed) == ("task", "nightly", START_MS, 2, 1)
    assert 10_000 <= seen.total_us < 1_000_000
    assert seen.cpu_us == 2000
    assert sum(seen.durations.values()) == 2
    assert phases_add_up(seen.phases, seen.total_us)
    ((of, (statement,)),) = reading.statements(store, *all_of(store)).items()
    assert of == ("task", "nightly")
    assert (statement.calls, statement.rows, statement.total_us, statement.max_us, statement.traces) == (4, 4, 6000,
                                                                                                         2000, 2)
    assert statement.text == TEXT
    assert (statement.driver, statement.database) == ("psycopg", DATABASE)
    ((_, (call,)),) = reading.calls(store, *all_of(store)).items()
    assert (call.method, call.host, call.route, call.calls, call.total_us) == ("GET", "api.example", "/groups/*", 2,
                                                                               4000)
    assert reading.flames(store, *all_of(store)) == {("task", "nightly"): {"main;calculate": 6}}


@pytest.mark.parametrize(("keeping", "values"), [("plain", ["7", None]), ("all", ["7", "secret"]),
                                                  ("none", [None, None])])
def test_of_parameters_is_kept_what_may_be(store: Store, keeping: Keeping, values: list[str | None]):
    recorder = Recorder(lambda: store, keeps=lambda database: keeping)
    recorder.ended(traced(statements=1))
    recorder.close()
    ((_, (statement,)),) = reading.statements(store, *all_of(store)).items()
    (sample,) = statement.samples
    assert isinstance(sample.parameters, list)
    assert [each.value for each in sample.parameters] == values
    (slow,) = reading.slow_traces(store, *all_of(store))
    assert ("ann@example.org" in str(slow)) is (keeping == "all")
    assert "secret" not in str(slow)


def test_a_text_whose_literals_differ_is_kept_without_them_from_then_on(store: Store, recorder: Recorder):
    def texts() -> list[str]:
        ((_, found),) = reading.statements(store, *all_of(store)).items()
        return [each.text for each in found]

    for people, told in ((["a1", "a1"], "select 'a1'"), (["b2"], "select '…'"), (["a1", "a1"], "select '…'")):
        trace = Trace("task", "nightly")
        for person in people:
            trace.statement(f"select '{person}'", "psycopg", DATABASE, 1000, 1, None)
        trace.end()
        recorder.ended(trace)
        recorder.flush()
        assert texts() == [told]
    again = Recorder(lambda: store)
    trace = Trace("task", "nightly")
    for _ in range(2):
        trace.statement("select 'c3'", "psycopg", DATABASE, 1000, 1, None)
    trace.end()
    again.ended(trace)
    again.close()
    assert texts() == ["select '…'"]


def test_a_flush_that_is_made_again_changes_nothing_and_later_ones_add(store: Store, clock: Clock, recorder: Recorder):
    recorder.ended(traced())
    recorder.flush()
    recorder.flush()
    recorder.ended(traced())
    recorder.flush()
    (seen,) = reading.traces(store, *all_of(store))
    assert seen.traces == 2
    assert clock.fetch("select count(*) from penstock.trace_totals") == [(1,)]
    clock.advance(3600)
    recorder.ended(traced())
    recorder.flush()
    assert [(each.since - START_MS, each.traces) for each in reading.traces(store, *all_of(store))] == [
        (0, 2), (HOUR, 1)]
    assert [each.traces for each in reading.traces(store, START_MS, START_MS + HOUR)] == [2]
    ((_, (statement,)),) = reading.statements(store, *all_of(store)).items()
    assert (statement.calls, statement.traces) == (6, 3)
    hours = reading.statement_hours(store, *all_of(store), statement.fingerprint, DATABASE)
    assert {hour - START_MS: seen.calls for hour, seen in hours.items()} == {0: 4, HOUR: 2}


def test_processes_write_rows_of_their_own_and_readers_add_them_up(store: Store, clock: Clock):
    for _ in range(2):
        recorder = Recorder(lambda: store)
        recorder.ended(traced(kind="run", name="directory"))
        recorder.close()
    assert clock.fetch("select count(*) from penstock.trace_totals") == [(2,)]
    (seen,) = reading.traces(store, *all_of(store), kind="run", name="directory")
    assert seen.traces == 2
    ((_, (statement,)),) = reading.statements(store, *all_of(store), fingerprint=None).items()
    assert (statement.calls, statement.sites[0].calls) == (4, 4)
    assert reading.traces(store, *all_of(store), kind="task") == []


def test_the_slowest_and_those_that_failed_of_a_day_are_kept_as_they_were(store: Store, recorder: Recorder):
    for took_ms in range(10, 400, 10):
        recorder.ended(traced(took_ms=took_ms, failed=took_ms % 100 == 50))
        if took_ms % 70 == 0:
            recorder.flush()
    recorder.ended(traced("other", took_ms=3))
    recorder.flush()
    found = reading.slow_traces(store, *all_of(store), name="nightly")
    slow = [round(each.took_us / 10_000) * 10 for each in found[:SLOWEST]]
    assert slow == [390, 380, 370, 360, 350]
    assert {round(each.took_us / 10_000) * 10 for each in found if each.failed} == {150, 250, 350}
    assert len(found) == SLOWEST + FAILED - 1  # one of them is both
    one = found[0]
    assert (one.job_id, one.subject, one.account, one.about) == (5, "g1", "acme", {"attempt": 1})
    assert (one.parts[0].calls, one.parts[0].total_us) == (2, 3000)
    assert {part.what for part in one.parts} == {TEXT, "GET api.example/groups/*"}
    assert [span.phase for span in one.spans] == ["queried", "queried", "called"]
    assert one.flame == {"main;calculate": 3}
    assert [each.name for each in reading.slow_traces(store, *all_of(store), limit=1)] == ["nightly"]
    assert 0 <= START_MS - one.began_at < 10_000


def test_stacks_whose_rows_are_long_are_written_once_a_minute(store: Store, clock: Clock, recorder: Recorder):
    def flushed(*, everything: bool = False) -> dict[str, int]:
        recorder.ended(traced())
        recorder.flush(everything=everything)
        return reading.flames(store, *all_of(store))["task", "nightly"]

    counts = [flushed()["main;calculate"], flushed()["main;calculate"]]
    clock.advance(59)
    counts.append(flushed()["main;calculate"])
    clock.advance(1)
    counts += [flushed()["main;calculate"], flushed()["main;calculate"], flushed(everything=True)["main;calculate"]]
    assert counts == [3, 3, 3, 12, 12, 18]
    clock.advance(30)
    assert flushed(everything=True)["main;calculate"] == 21


def test_statements_beyond_those_that_are_told_apart_are_one_row(store: Store, clock: Clock, recorder: Recorder):
    for first in (0, 150):
        trace = Trace("task", "many")
        for number in range(first, first + 150):
            trace.statement(f"select c{number}", "psycopg", DATABASE, 1000, 1, None)
            trace.called("GET", "api", f"/a{'x' * (number % 30)}/{chr(97 + number % 26)}{chr(97 + number // 26)}", 5)
        trace.end()
        recorder.ended(trace)
        recorder.flush()
    for table in ("trace_statements", "trace_calls"):
        assert clock.fetch(f"select count(*), sum(calls) from penstock.{table}") == [(MOST + 1, 300)]


def test_short_work_is_counted_without_traces(store: Store, recorder: Recorder):
    brief = recorder.brief()
    for took_ns in (1000, 500_000, 999_999):
        brief.add("noop", took_ns)
    recorder.flush()
    brief.add("noop", 1000)
    brief.over = True
    recorder.flush()
    recorder.flush()
    (seen,) = reading.traces(store, *all_of(store))
    assert (seen.kind, seen.name, seen.traces, seen.total_us) == ("task", "noop", 4, 1501)
    assert sum(seen.durations.values()) == 4
    assert phases_add_up(seen.phases, seen.total_us)
    assert reading.slow_traces(store, *all_of(store)) == []


def test_names_without_end_are_counted_as_one(store: Store, clock: Clock, recorder: Recorder):
    for number in range(700):
        recorder.ended(traced(f"t{number}", statements=0))
    recorder.flush()
    found = reading.traces(store, *all_of(store))
    assert len(found) == 501
    assert sum(each.traces for each in found) == 700
    assert next(each.traces for each in found if each.name == "(others)") == 200


def test_slow_statements_are_told_of_at_once_with_their_real_parameters(store: Store):
    told: list[Told] = []
    recorder = Recorder(lambda: store, explain=told.append)
    for _ in range(2):
        trace = Trace("task", "nightly")
        trace.statement(TEXT, "psycopg", DATABASE, 200_000_000, 1, (6, "secret"))
        trace.statement("select 1", "psycopg", DATABASE, 1000, 1, None)
        trace.end()
        recorder.ended(trace)
    (one,) = told  # once in five minutes is enough
    assert (one.name, one.text, one.parameters, one.calls, one.max_us) == ("nightly", TEXT, [(6, "secret")], 1, 200_000)
    recorder.close()


def test_whoever_fails_to_be_told_ends_no_trace(store: Store, caplog: pytest.LogCaptureFixture):
    def fail(told: Told) -> None:
        raise RuntimeError("no")

    recorder = Recorder(lambda: store, explain=fail)
    trace = Trace("task", "nightly")
    trace.statement(TEXT, "psycopg", DATABASE, 200_000_000, 1, None)
    trace.end()
    recorder.ended(trace)
    recorder.close()
    assert [each.traces for each in reading.traces(store, *all_of(store))] == [1]
    assert "RuntimeError: no" in caplog.text


def test_what_could_not_be_written_is_by_the_next_flush(store: Store, caplog: pytest.LogCaptureFixture):
    broken = True

    def find() -> Store:
        if broken:
            raise OSError("out of reach")
        return store

    recorder = Recorder(find)
    recorder.ended(traced())
    recorder.close()
    recorder.ended(traced())
    recorder.close()
    assert caplog.text.count("out of reach") == 1  # each kind of fault is told once
    broken = False
    recorder.close()
    (seen,) = reading.traces(store, *all_of(store))
    assert seen.traces == 2


def test_it_writes_by_itself_and_its_thread_ends_with_it(store: Store):
    recorder = Recorder(lambda: store, every_seconds=0.01)
    recorder.ended(traced())
    written = threading.Event()
    original = recorder._writing.write

    def write(*args: object, **options: object) -> None:
        original(*args, **options)  # type: ignore[arg-type]
        written.set()

    recorder._writing.write = write  # type: ignore[method-assign]
    recorder.ended(traced())
    assert written.wait(60)
    recorder.close()
    assert "penstock-traces" not in [thread.name for thread in threading.enumerate()]


TABLES = ("trace_totals", "trace_statements", "trace_calls", "trace_flames", "slow_traces", "statement_texts")


def test_what_is_past_its_time_is_removed(store: Store, clock: Clock, recorder: Recorder):
    recorder.ended(traced())
    recorder.flush()
    kept = timedelta(days=14)
    assert prune(store, kept) == 0
    clock.advance(16 * 86_400)
    recorder.ended(traced())
    recorder.flush()
    assert prune(store, kept) == 5  # the text has been seen again
    assert {table: clock.fetch(f"select count(*) from penstock.{table}") for table in TABLES} == {
        table: [(1,)] for table in TABLES}
    assert prune(store, kept) == 0


def test_upkeep_removes_it(store_url: str, clock: Clock):
    with Penstock(store_url, now=clock.expression, traces_kept_days=1) as app:
        assert app.recorder is not None
        app.recorder.ended(traced())
        app.recorder.flush()
        clock.advance(3 * 86_400)
        app.upkeep().step()
        assert reading.traces(app.store, *all_of(app.store)) == []
