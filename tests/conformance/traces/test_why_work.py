"""Why tasks and syncs are slow: of attempts and runs that a drain has served, with what happened to them."""

from penstock import Penstock, Rate, Window
from penstock.cli.why.slow import lines
from penstock.observe.patterns import Pattern
from penstock.observe.rank import Ranked
from penstock.observe.summary import Failure, Summary, Worst
from penstock.observe.trend import Trend
from tests.clock import Clock
from tests.conformance.sync_app import Directory

SERVE = Window(total=60, headroom=5)


def why(app: Penstock, name: str) -> Summary:
    assert app.recorder is not None
    app.recorder.flush()
    return app.why_slow(name)


def test_a_task_that_waits_for_permits(app: Penstock, clock: Clock) -> None:
    app.monotonic, app.sleep = lambda: clock.passed, clock.sleep

    @app.task(name="shop.send", limits=[Rate(1, per="second")], retry=None)
    def send(offer: int) -> None:
        if offer == 0:
            raise ValueError("no such offer")

    for offer in range(4):
        send.enqueue(offer)
    app.drain(SERVE, slots=1)
    found = why(app, "shop.send")
    assert found.ranked is not None
    assert (found.ranked.kind, found.ranked.failed) == ("task", 1)
    assert found.failure is not None
    assert found.failure.error == "ValueError: no such offer"
    assert found.failure.job_id is not None
    assert len(lines(found)) <= 10


def test_a_sync_is_told_by_its_runs_with_its_slowest_subject(store_url: str, clock: Clock,
                                                             directory: Directory) -> None:
    with directory.app(store_url, clock.expression) as app:
        app.migrate()
        app.request([{"sync": "directory", "subject": "g1", "account": "acme", "priority": 0, "reason": ""}])
        app.drain(SERVE, slots=1)
        directory.groups["g2"] = {"q": "name"}
        directory.fail_after = 0
        app.request([{"sync": "directory", "subject": "g2", "account": "acme", "priority": 0, "reason": ""}])
        app.drain(SERVE, slots=1)
        app.upkeep().step()
        found = why(app, "directory")
        assert found.ranked is not None
        assert (found.ranked.kind, found.ranked.traces) == ("run", 2)
        assert found.kinds == ["window"]
        assert found.subject is not None
        assert found.subject.startswith("g1 of acme: p95")
        assert found.failure is not None
        assert found.failure.subject == "g2"
        text = "\n".join(lines(found))
        assert "subject g2): OSError: the source broke off" in text
        assert len(text.splitlines()) <= 10
        assert app.why_slow("directory/Rooms").ranked is not None


def test_ten_lines_are_enough_however_much_there_is_to_say(app: Penstock) -> None:
    app.migrate()
    assert len(lines(why(app, "nothing"))) == 2
    ranked = Ranked(kind="run", name="directory", traces=1, failed=1, total_us=1, share=1.0, p50_us=1, p95_us=1,
                    p99_us=1, max_us=1, cpu_us=None, phases={"waited": 1, "queried": 1})
    pattern = Pattern(kind="n+1", says="n", faster="", evidence={}, took_us=1, share=0.1)
    worst = Worst(text="", fingerprint="", database=None, total_us=1, share=1.0, calls=1, site=None, says="w")
    trend = Trend(verdict="steady", says="steady", today=1, before=1)
    full = Summary(name="directory", says="much", next="rest", since=0, until=1, ranked=ranked, trend=trend,
                   worst=worst, patterns=[pattern] * 8, failure=Failure(at=0), subject="g1")
    shown = lines(full)
    assert [line.split(":")[0].strip() for line in shown] == [
        "directory", "where", "how long", "trend", "worst", "n+1", "n+1", "slowest", "failed", "next"]
