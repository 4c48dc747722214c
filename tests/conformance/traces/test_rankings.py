"""Rankings, trends and summaries of what was kept, asked through the app, on each store."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

import penstock
from penstock import Penstock, Window
from penstock.domain.errors import ConfigurationError
from penstock.observe.patterns.contract import REST
from penstock.observe.rank import BY
from penstock.observe.trace import MOST, active
from tests.clock import Clock
from tests.conformance.traces.keeping import SHOP, Traced, asked, called

BATCH = "select id, amount from record where client_id = %s and id > %s order by id limit 1000"
AUTHOR = "select name from author where id = %s"
SECOND = 1_000_000


@pytest.fixture
def traced(app: Penstock) -> Iterator[Traced]:
    app.migrate()
    found = Traced(app.store)
    yield found
    found.recorder.close()


def test_work_is_ranked_in_every_order(app: Penstock, traced: Traced) -> None:
    traced.traced("long", took_us=90 * SECOND)
    traced.traced("often", took_us=SECOND, times=20, phase="called")
    traced.traced("broken", took_us=2 * SECOND, times=3, failed=True)
    traced.flush()
    assert [row.name for row in app.traces()] == ["long", "often", "broken"]
    assert [row.name for row in app.traces(by="count")] == ["often", "broken", "long"]
    assert [row.name for row in app.traces(by="failed", limit=1)] == ["broken"]
    assert app.traces(by="called")[0].name == "often"
    assert [row.share for row in app.traces("often")] == [pytest.approx(20 / 116, rel=0.01)]
    for by in BY:
        assert len(app.traces(by=by)) == 3
    with pytest.raises(ConfigurationError, match="did you mean 'total'"):
        app.traces(by="totl")  # type: ignore[arg-type]


def test_kinds_are_told_apart_and_old_hours_left_out(app: Penstock, clock: Clock, traced: Traced) -> None:
    traced.traced("directory", took_us=SECOND, kind="run")
    traced.traced("directory", took_us=SECOND, kind="window")
    traced.flush()
    assert {row.kind for row in app.traces("directory")} == {"run", "window"}
    assert [row.kind for row in app.traces(kind="run")] == ["run"]
    assert app.work("directory").trace.kind == "run"
    clock.advance(2 * 86_400)
    assert app.traces() == []
    assert len(app.traces(since=timedelta(days=3))) == 2


def test_statements_are_ranked_with_the_share_of_their_name(app: Penstock, traced: Traced) -> None:
    with traced.trace("nightly", took_us=50 * SECOND) as trace:
        asked(trace, BATCH, [(6, n) for n in range(90)], took_us=500_000, rows=1000)
        asked(trace, "select 1", [()], took_us=2 * SECOND, rows=1)
    traced.flush()
    batch, one = app.slowest_statements("nightly")
    assert (batch.text, batch.calls, batch.rows, batch.mean_us) == (BATCH, 90, 90_000, 500_000)
    assert batch.share == pytest.approx(0.9, abs=0.01)
    assert batch.site is not None
    assert "test_rankings.py:" in batch.site
    assert [each.text for each in app.slowest_statements(by="max")] == [one.text, batch.text]


def test_a_statement_of_a_trace_within_a_task_is_told_once(app: Penstock) -> None:
    @app.task(name="shop.report")
    def report() -> None:
        with penstock.trace("the-slow-part"):
            trace = active.get()
            assert trace is not None
            asked(trace, AUTHOR, [(1,), (2,)], took_us=700, rows=1)

    report.enqueue()
    app.drain(Window(total=60, headroom=5), slots=1)
    assert app.recorder is not None
    app.recorder.flush()
    assert [(each.name, each.calls) for each in app.slowest_statements()] == [("the-slow-part", 2)]
    assert [(each.name, each.calls) for each in app.slowest_statements("shop.report")] == [("shop.report", 2)]


def test_the_slowest_traces_come_with_what_they_were_of(app: Penstock, traced: Traced) -> None:
    for took, subject in ((5, "red"), (9, "blue"), (7, "green")):
        traced.traced("directory", took_us=took * SECOND, kind="run", subject=subject, account="acme", run_id=took)
    traced.flush()
    assert [(each.subject, each.run_id) for each in app.slowest_traces(kind="run")] == [
        ("blue", 9), ("green", 7), ("red", 5)]
    assert len(app.slowest_traces(limit=1)) == 1


def test_a_day_is_held_against_the_week_before(app: Penstock, clock: Clock, traced: Traced) -> None:
    for _ in range(7):
        traced.traced("mail", took_us=SECOND, times=20)
        traced.traced("calm", took_us=SECOND, times=20)
        traced.flush()
        clock.advance(86_400)
    traced.traced("mail", took_us=3 * SECOND, times=30)
    traced.traced("calm", took_us=SECOND, times=30)
    traced.traced("new", took_us=SECOND, times=30)
    traced.flush()
    found = app.trends([("trace", "mail"), ("trace", "calm"), ("trace", "new")])
    assert found["trace", "mail"].verdict == "slower"
    assert (found["trace", "mail"].today, found["trace", "mail"].before) == (30, 140)
    assert found["trace", "calm"].verdict == "steady"
    assert found["trace", "new"].verdict == "too few"
    assert app.why_slow("mail").trend == found["trace", "mail"]


def test_why_sums_up_what_a_trace_did(app: Penstock, traced: Traced) -> None:
    with traced.trace("nightly", took_us=50 * SECOND) as trace:
        asked(trace, BATCH, [(6, n) for n in range(90)], took_us=500_000, rows=1000)
        asked(trace, AUTHOR, [(n,) for n in range(400)], took_us=5000, rows=1)
    traced.traced("nightly", took_us=SECOND, failed=True, error="ValueError: no such client", job_id=7)
    traced.flush()
    found = app.why_slow("nightly")
    assert found.says.startswith("2 traces in the last day took 51 s, 100% of what all traces took; 1 failed")
    assert [each.kind for each in found.patterns] == ["slow batches", "n+1"]
    assert found.patterns[0].says.startswith("90 calls, each 1,000 rows, 500 ms each: 45 s of 51 s")
    assert found.worst is not None
    assert (found.worst.text, round(found.worst.share, 2)) == (BATCH, 0.88)
    assert found.failure is not None
    assert (found.failure.error, found.failure.job_id) == ("ValueError: no such client", 7)
    assert found.next == "penstock advise nightly: an index on what it filters by and then on its order"


def test_calls_of_a_name_show_in_its_patterns(app: Penstock, traced: Traced) -> None:
    with traced.trace("push", took_us=10 * SECOND, phase="called") as trace:
        called(trace, "PUT", [f"/users/{n}" for n in range(30)], took_us=300_000)
    traced.flush()
    found = app.why_slow("push")
    assert [each.kind for each in found.patterns] == ["chatty calls"]
    assert found.next.startswith("a bulk endpoint")


def test_why_looks_further_back_where_the_last_day_has_nothing(app: Penstock, clock: Clock, traced: Traced) -> None:
    traced.traced("monthly", took_us=SECOND)
    traced.flush()
    clock.advance(3 * 86_400)
    assert app.why_slow("monthly").says.startswith("1 trace in the last week")


def test_why_always_answers(app: Penstock, traced: Traced) -> None:
    @app.task(name="shop.send")
    def send() -> None: ...

    traced.traced("nightly", took_us=SECOND)
    traced.flush()
    found = app.why_slow("nightli")
    assert found.ranked is None
    assert "did you mean 'nightly'?" in found.says
    assert "it is declared here, and has not run" in app.why_slow("shop.send").says


def test_kept_plans_tell_of_a_flip(app: Penstock, clock: Clock, traced: Traced) -> None:
    with traced.trace("nightly", took_us=50 * SECOND) as trace:
        asked(trace, BATCH, [(6, n) for n in range(90)], took_us=500_000, rows=1000)
    traced.flush()
    (seen,) = app.work("nightly").statements
    for shape, index, at in (("a", "record_client", clock.now_ms - 86_400_000), ("b", "record_pkey", clock.now_ms)):
        clock.fetch(f"insert into penstock.plans values ('{seen.fingerprint}', '{SHOP}', '{shape}', {at}, {at}, 1,"
                    f" '[\"trap\"]', 'Index Scan using {index} on record  (cost 9)') returning shape")
    flip = next(each for each in app.why_slow("nightly").patterns if each.kind == "plan flip")
    assert "is planned as Index Scan using record_pkey on record since" in flip.says
    assert "before as Index Scan using record_client on record" in flip.says


def test_of_too_many_statements_the_rest_is_counted_and_not_judged(app: Penstock, traced: Traced) -> None:
    with traced.trace("reports", took_us=900 * SECOND) as trace:
        for n in range(MOST + 50):
            asked(trace, f"select a from t{n} where id = %s", [(1,)] * 20, took_us=SECOND // 10, rows=1)
    traced.flush()
    rows = app.slowest_statements("reports", limit=1000)
    assert len(rows) == MOST + 1
    assert (rows[0].fingerprint, rows[0].calls) == (REST, 50 * 20)
    found = app.why_slow("reports")
    assert found.worst is not None
    assert found.worst.fingerprint != REST
    assert REST not in {each.fingerprint for each in found.patterns}


def test_of_real_traces_the_last_failure_is_told(app: Penstock) -> None:
    app.migrate()

    @penstock.trace("import", app=app)
    def load(name: str) -> None:
        if not name:
            raise ValueError("no file of this name\nDETAIL: values of a row")

    load("a")
    with pytest.raises(ValueError, match="no file"):
        load("")
    assert app.recorder is not None
    app.recorder.flush()
    found = app.why_slow("import")
    assert found.ranked is not None
    assert (found.ranked.traces, found.ranked.failed) == (2, 1)
    assert found.failure is not None
    assert found.failure.error == "ValueError: no file of this name"


def test_stacks_are_those_of_the_name(app: Penstock, traced: Traced) -> None:
    with traced.trace("report", took_us=SECOND) as trace:
        trace.flame = {"main;load": 30, "main;print": 4}
    traced.flush()
    assert app.flame("report") == {"main;load": 30, "main;print": 4}
    assert app.flame("nothing") == {}
