"""What pages ask of traces, through the app, on each store: rankings over time, one trace as it was, its stacks."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from penstock import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.domain.flame import flame
from penstock.domain.slow import TraceKey
from penstock.observe import reading
from tests.clock import Clock
from tests.conformance.traces.keeping import SHOP, Traced, asked, called

BATCH = "select id, amount from record where client_id = %s and id > %s order by id limit 1000"
SECOND, HOUR = 1_000_000, 3600


@pytest.fixture
def traced(app: Penstock) -> Iterator[Traced]:
    app.migrate()
    found = Traced(app.store)
    yield found
    found.recorder.close()


def test_a_ranking_says_when_the_time_was_spent(app: Penstock, clock: Clock, traced: Traced) -> None:
    traced.traced("mail", kind="task", took_us=SECOND, times=3)
    traced.flush()
    clock.advance(2 * HOUR)
    traced.traced("mail", kind="task", took_us=2 * SECOND, failed=True)
    traced.traced("report", kind="task", took_us=30 * SECOND)
    traced.traced("night", took_us=SECOND)
    traced.flush()
    found = app.ranking(kind="task")
    assert [row.ranked.name for row in found.rows] == ["report", "mail"]
    assert (found.names, found.step_ms, found.until - found.since) == (2, HOUR * 1000, 25 * HOUR * 1000)
    mail = found.rows[1]
    assert mail.ranked.traces == 4
    before, between, now = mail.totals_us[-3:]
    assert before >= 3 * SECOND
    assert between == 0
    assert now >= 2 * SECOND
    assert len(mail.totals_us) == 25
    assert [row.ranked.name for row in app.ranking(by="failing").rows] == ["mail", "night", "report"]
    assert len(app.ranking(limit=1).rows) == 1
    assert app.ranking(limit=1).names == 3
    week = app.ranking(since=timedelta(days=7))
    assert len(week.rows[0].totals_us) <= 48
    assert sum(week.rows[1].totals_us) == mail.ranked.total_us
    with pytest.raises(ConfigurationError, match="did you mean 'failing'"):
        app.ranking(by="failin")  # type: ignore[arg-type]


def test_hours_that_are_over_are_read_once_and_this_one_each_time(app: Penstock, clock: Clock, traced: Traced) -> None:
    asked_of: list[tuple[int, int]] = []
    look = app.store.look

    def told(name: str, params: dict[str, int] | None = None) -> list[tuple[object, ...]]:
        if name == "trace_totals_read" and params:
            asked_of.append((params["since"], params["until"]))
        return look(name, params or {})

    traced.traced("mail", took_us=SECOND)
    traced.flush()
    clock.advance(3.25 * HOUR)  # the hour before this one has been over for long enough
    app.store.look = told  # type: ignore[method-assign]
    assert app.traces()[0].traces == 1
    traced.traced("mail", took_us=SECOND)
    traced.traced("new", took_us=SECOND)
    traced.flush()
    assert [(row.name, row.traces) for row in app.traces()] == [("mail", 2), ("new", 1)]
    assert [(row.name, row.traces) for row in app.traces()] == [("mail", 2), ("new", 1)]
    hours = [(until - since) // (HOUR * 1000) for since, until in asked_of]
    assert hours == [24, 1, 1, 1]
    clock.advance(HOUR)
    assert [(row.name, row.traces) for row in app.traces()] == [("mail", 2), ("new", 1)]


def test_what_a_name_came_to_is_told_hour_by_hour(app: Penstock, clock: Clock, traced: Traced) -> None:
    traced.traced("mail", took_us=SECOND, times=3, failed=True)
    traced.flush()
    clock.advance(HOUR)
    traced.traced("mail", took_us=4 * SECOND, phase="called")
    traced.flush()
    *_, before, now = app.over_time("mail")
    assert (before.traces, before.failed, now.traces, now.failed) == (3, 3, 1, 0)
    assert now.phases["called"] > 3 * SECOND
    assert 0.95 * SECOND <= before.p95_us <= before.max_us
    assert now.until - now.since == HOUR * 1000
    assert sum(each.traces for each in app.over_time("mail", since=timedelta(days=30))) == 4
    assert sum(each.traces for each in app.over_time("nobody")) == 0


def test_slow_statements_are_those_of_the_work_that_waits_for_databases(app: Penstock, traced: Traced) -> None:
    for name, took in (("nightly", 600_000), ("mail", 2000)):
        with traced.trace(name, took_us=4 * SECOND, kind="task") as trace:
            asked(trace, BATCH, [(6, n) for n in range(3)], took_us=took, rows=1000)
            asked(trace, "select 1", [()], took_us=1000, rows=1)
    traced.traced("busy", took_us=90 * SECOND, kind="task", phase="computed")
    traced.flush()
    first, second, *_ = app.slow_statements(each=1)
    assert [(each.name, each.statement.text) for each in (first, second)] == [("nightly", BATCH), ("mail", BATCH)]
    assert (first.statement.calls, first.statement.rows, first.statement.database) == (3, 3000, SHOP)
    assert 0.1 < first.share <= 0.45  # of four seconds, and of what the test itself took
    assert len(app.slow_statements(names=1)) == 2
    assert app.slow_statements(names=0) == []


def test_a_kept_trace_is_found_by_its_key_with_the_places_of_its_statements(app: Penstock, traced: Traced) -> None:
    with traced.trace("nightly", took_us=50 * SECOND, kind="task", job_id=7) as trace:
        asked(trace, BATCH, [(6, n) for n in range(3)], took_us=600_000, rows=1000)
        called(trace, "PUT", ["/users/1"], took_us=SECOND)
    traced.traced("nightly", took_us=SECOND, kind="task")
    traced.flush()
    slowest = app.slowest_traces("nightly")[0]
    found = app.kept_trace(str(slowest.key))
    assert found is not None
    assert found.trace.job_id == 7
    assert found == app.kept_trace(slowest.key)
    (statement,) = found.statements
    assert (statement.calls, statement.rows, statement.fingerprint) == (3, 3000, found.trace.parts[0].fingerprint)
    assert statement.sites[0].file.endswith("closely.py")
    assert [each.route for each in found.calls] == ["/users/*"]


def test_traces_that_are_alike_have_keys_of_their_own(app: Penstock, clock: Clock, traced: Traced) -> None:
    clock.advance(-HOUR * 5)  # a trace that began before midnight is kept under the day of its end
    for name in ("one", "two"):
        traced.traced(name, took_us=8 * HOUR * SECOND)
    traced.flush()
    one, two = app.slowest_traces("one")[0], app.slowest_traces("two")[0]
    for each in (one, two):
        found = app.kept_trace(each.key)
        assert found is not None
        assert found.trace.name == each.name
    alike = TraceKey(one.kind, one.began_at, one.took_us, two.key.name_digest)
    found = app.kept_trace(alike)
    assert found is None or found.trace.name == "two"


@pytest.mark.parametrize("key", [
    "", "task", "task-1-2", "task-1-2-3-4", "job-1-2-abcd", "task-x-2-abcd", "task--1-2-ab", "task-²-2-abcd",
    f"task-{'9' * 40}-2-abcd", "task-1-2-abcd", "run-1-1-' or 1=1 --"])
def test_what_is_no_key_of_a_kept_trace_finds_none(app: Penstock, traced: Traced, key: str) -> None:
    assert app.kept_trace(key) is None


def test_stacks_are_pictures_and_files(app: Penstock, traced: Traced) -> None:
    with traced.trace("report", took_us=SECOND) as trace:
        trace.flame = {"main;load": 30, "main;print": 4}
    traced.flush()
    stacks = app.flame("report")
    graph = flame(stacks)
    assert (graph.samples, graph.depth, [frame.name for frame in graph.frames]) == (34, 2, ["main", "load", "print"])
    load = graph.frames[1].id
    assert flame(stacks, load).width == 30
    assert flame(app.flame("nothing")).frames == []
    assert msgspec.to_builtins(app.speedscope("report"))["profiles"][0]["weights"] == [300, 40]
    assert app.speedscope("nothing").profiles[0].samples == []


def test_the_traces_of_a_jobs_attempts_are_found_by_its_number(app: Penstock, traced: Traced) -> None:
    traced.traced("mail", kind="task", took_us=200_000, job_id=7)
    traced.traced("mail", kind="task", took_us=300_000, job_id=7, failed=True)
    traced.traced("mail", kind="task", took_us=400_000, job_id=8)
    traced.flush()
    kept = {each.key for each in app.slowest_traces("mail", kind="task") if each.job_id == 7}
    now = max(key.began_at for key in kept)
    found = reading.traces_of_job(app.store, 7, "mail", now - 1000, now + 1000)
    assert len(found) == 2
    assert set(found) == kept
    assert reading.traces_of_job(app.store, 7, "other", now - 1000, now + 1000) == []
