"""Why something waits: always an answer, and where the policy decides, in its own words."""

import sqlite3
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from penstock import Concurrency, Penstock, RetryPolicy
from penstock.admission.policy import Line, Piece, Room, View, judge
from penstock.admission.why import Answer
from penstock.domain.errors import ConfigurationError
from tests.clock import Clock
from tests.conformance.admission.desk import Desk
from tests.conformance.sync_app import Directory
from tests.engine import Engine


@pytest.fixture
def send(app: Penstock) -> Any:
    @app.task(name="send", retry=RetryPolicy(max_attempts=3))
    def send(number: int = 1) -> None: ...

    return send


@pytest.fixture
def serial(app: Penstock) -> Any:
    @app.task(name="serial", serial="customer", concurrency=Concurrency(2, by="city"))
    def serial(customer: int, city: str = "Bern") -> None: ...

    return serial


def why(desk: Desk, job: Any) -> Answer:
    return desk.app.why_job(job if isinstance(job, int) else job.id)


def told(desk: Desk, job: Any) -> tuple[str, str]:
    answer = why(desk, job)
    return answer.waits, answer.reason


def facts(answer: Answer, what: str) -> list[str]:
    return [fact.says for fact in answer.facts if fact.what == what]


def no_worker(desk: Desk, *queues: str) -> None:
    """No worker lives, or one that serves these queues."""
    desk.clock.fetch("delete from penstock.workers returning id")
    if queues:
        from penstock.worker.inline import registered
        desk.store.write(lambda tx: registered(tx, "other", 10**9, queues))


def test_there_is_no_such_job(desk: Desk) -> None:
    answer = why(desk, 4711)
    assert (answer.state, answer.waits) == ("unknown", "unknown")
    assert answer.reason.startswith("there is no job 4711")


def test_a_job_that_ended_says_how_when_and_with_what_error(desk: Desk, send: Any) -> None:
    done, failed = send.enqueue().id, send.enqueue().id
    first, second = desk.claim(2)
    desk.settle(first)
    from penstock.domain.jobs import Outcome
    from penstock.queue.claim import settle
    settle(desk.store, [Outcome(second.id, second.lease, "discarded", keep_ms=3_600_000, error_class="OSError",
                                error="Traceback …\n  line 1\nOSError: no such host")])
    assert told(desk, done) == ("ended", "it ended as completed on 2027-01-15 08:00:00 UTC")
    assert told(desk, failed) == ("ended", "it ended as discarded on 2027-01-15 08:00:00 UTC: OSError: no such host")


def test_a_job_that_runs_names_its_worker(desk: Desk, send: Any) -> None:
    job = send.enqueue()
    desk.claim(1)
    assert told(desk, job) == ("executing", "worker test has been running it since 2027-01-15 08:00:00 UTC,"
                                            " attempt 1 of 3")
    desk.app.cancel(job.id)
    assert facts(why(desk, job), "cancelled") == ["it was asked to end on 2027-01-15 08:00:00 UTC"]


def test_a_job_that_is_due_later(desk: Desk, send: Any) -> None:
    job = send.using(run_after=timedelta(hours=1)).enqueue()
    assert told(desk, job) == ("scheduled", "it is due on 2027-01-15 09:00:00 UTC")
    assert why(desk, job).until_at == desk.clock.now_ms + 3_600_000
    desk.clock.advance(3601)
    assert told(desk, job)[1].endswith("the next step of upkeep makes it available")


def test_a_job_that_waits_for_its_next_attempt(desk: Desk, send: Any) -> None:
    from penstock.domain.jobs import Outcome
    from penstock.queue.claim import settle
    job = send.enqueue()
    (claimed,) = desk.claim(1)
    settle(desk.store, [Outcome(claimed.id, claimed.lease, "retryable", delay_ms=60_000, error_class="OSError",
                                error="no such host")])
    assert told(desk, job) == ("retry", "attempt 1 of 3 failed (OSError: no such host); it is due on 2027-01-15"
                                        " 08:01:00 UTC")


def test_a_job_that_is_ready_says_how_many_go_before_it(desk: Desk, send: Any) -> None:
    first, second = send.enqueue(), send.using(priority=-1).enqueue()
    assert told(desk, first) == ("claim", "it is next in queue default: a worker claims it as soon as a slot is free")
    assert told(desk, second) == ("claim", "1 job of queue default goes before it")
    desk.app.enqueue_many([send.call(number) for number in range(2500)])
    assert told(desk, second) == ("claim", "more than 1,000 jobs of queue default go before it")


def test_a_queue_that_is_paused(desk: Desk, send: Any) -> None:
    job = send.enqueue()
    desk.app.pause("default")
    answer = why(desk, job)
    assert (answer.waits, answer.reason) == ("paused", "queue default has been paused since 2027-01-15 08:00:00 UTC")
    assert facts(answer, "then") == ["it is next in queue default: a worker claims it as soon as a slot is free"]


def test_a_queue_that_nobody_serves(desk: Desk, send: Any) -> None:
    job = send.enqueue()
    no_worker(desk)
    assert told(desk, job) == ("no worker", "no worker is alive, so nobody serves queue default")
    no_worker(desk, "mail", "reports")
    assert told(desk, job) == ("no worker", "no live worker serves queue default: those that live serve mail, reports")
    no_worker(desk, "default")
    assert told(desk, job)[0] == "claim"


def test_workers_say_which_queues_they_serve(desk: Desk, send: Any) -> None:
    no_worker(desk)
    worker = desk.app.worker({"default": 2})
    worker.start()
    try:
        assert desk.clock.fetch("select queues from penstock.workers") == [('["default"]',)]
    finally:
        worker.stop()


def test_a_task_that_this_app_does_not_declare(desk: Desk, send: Any) -> None:
    job = send.enqueue()
    del desk.app.tasks["send"]
    desk.app.tasks["sent"] = send
    waits, reason = told(desk, job)
    assert waits == "unknown task"
    assert reason.startswith("this app declares no task 'send'; did you mean 'sent'?")


def test_a_job_that_became_pointless_says_so(desk: Desk, send: Any) -> None:
    job = send.using(tags=["offer:7"]).enqueue()
    late = send.using(deadline=timedelta(minutes=5)).enqueue()
    desk.clock.advance(1)
    desk.app.invalidate("offer:7")
    answer = why(desk, job)
    assert answer.waits == "stale"
    assert answer.reason.startswith("it is stale: tag offer:7 was invalidated on 2027-01-15 08:00:01 UTC")
    assert facts(answer, "then")
    assert facts(why(desk, late), "deadline") == ["2027-01-15 08:05:00 UTC"]
    desk.clock.advance(300)
    assert told(desk, late)[0] == "stale"


def test_a_keyed_job_that_nobody_has_looked_at_yet(desk: Desk, serial: Any) -> None:
    job = serial.enqueue(7)
    assert told(desk, job) == ("turn", "it has just joined the line serial:serial:7: the next step of a dispatcher"
                                       " looks at it")
    no_worker(desk)
    assert told(desk, job)[0] == "no worker"


def test_a_keyed_job_waits_behind_its_line_in_the_policy_s_own_words(desk: Desk, serial: Any) -> None:
    jobs = [serial.enqueue(7) for _ in range(4)]
    desk.dispatch()
    line = Line("serial:serial:7", "default", (Piece(jobs[1].id, 0),), running=1, most=1)
    policy = judge(line, View(0, {"default": Room(1, "")})).reason
    answer = why(desk, jobs[1])
    assert (answer.waits, answer.reason) == ("room", policy)
    answer = why(desk, jobs[3])
    assert answer.reason == f"2 jobs are before it in its line, and {policy}"
    assert facts(answer, "place") == ["3 of its line"]
    assert facts(answer, "head") == [f"job {jobs[1].id}"]
    assert facts(answer, "line") == ["serial:serial:7: 1 under way, of 1 at most"]


def test_who_holds_a_serial_key_is_named_with_what_it_does_or_waits_for(desk: Desk, serial: Any) -> None:
    first, second, third = (serial.enqueue(7).id for _ in range(3))
    desk.dispatch()
    assert facts(why(desk, third), "under way") == [
        f"job {first}, available: it is next in queue default: a worker claims it as soon as a slot is free"]
    (claimed,) = desk.claim()
    assert facts(why(desk, third), "under way")[0].startswith(f"job {first}, executing: worker test has been")
    desk.settle(claimed, state="retryable", delay_ms=60_000)
    desk.dispatch()
    assert facts(why(desk, third), "under way")[0].startswith(f"job {first}, retryable: attempt 1 of ")
    desk.app.cancel(first)
    desk.dispatch()
    assert facts(why(desk, third), "under way")[0].startswith(f"job {second}, available: ")


def test_a_place_in_a_line_is_counted_to_a_bound(desk: Desk, serial: Any) -> None:
    desk.app.enqueue_many([serial.call(7) for _ in range(1200)])
    last = serial.enqueue(7)
    desk.dispatch()
    answer = why(desk, last)
    assert answer.reason.startswith("more than 1,000 jobs are before it in its line, and ")
    assert facts(answer, "place") == ["beyond 1,000 of its line"]


def test_a_second_key_that_is_full(desk: Desk, serial: Any) -> None:
    jobs = [serial.enqueue(customer) for customer in range(3)]
    desk.dispatch()
    answer = why(desk, jobs[2])
    assert (answer.waits, answer.reason) == (
        "room", 'concurrency:serial:"Bern" has 2 under way, and at most 2 may be')


def test_a_key_that_is_paused(desk: Desk, serial: Any) -> None:
    desk.app.pause(key="serial:serial:7")
    job = serial.enqueue(7)
    desk.dispatch()
    answer = why(desk, job)
    assert (answer.waits, answer.reason) == ("paused", "serial:serial:7 is paused")
    assert facts(answer, "paused") == ["serial:serial:7 since 2027-01-15 08:00:00 UTC"]


def test_a_line_whose_turn_is_yet_to_come(desk: Desk, serial: Any) -> None:
    desk.app.pause("default")  # so that lines keep their turns
    early, late = serial.using(priority=5).enqueue(1), serial.enqueue(2)
    desk.dispatch()
    desk.app.resume("default")
    assert told(desk, early) == ("turn", "it is its turn, and there is room")
    assert told(desk, late) == ("turn", "1 line has its turn before its line; the first is serial:serial:1")


# Runs


def run(engine: Engine, subject: str, sync: str = "people") -> Answer:
    return engine.app.why_run(sync, subject)


def asked(engine: Engine, *subjects: str, account: str | None = "acme") -> None:
    engine.app.request([{"sync": "people", "subject": subject, "account": account, "priority": 0, "reason": "edited"}
                        for subject in subjects])


def test_a_subject_that_there_is_not(engine: Engine) -> None:
    answer = run(engine, "g11")
    assert answer.waits == "unknown"
    assert answer.reason == "subjects() of people gives no subject 'g11'; did you mean 'g1'?"
    with pytest.raises(ConfigurationError, match="did you mean 'people'"):
        run(engine, "g1", "peeple")


def test_a_subject_that_was_never_requested(engine: Engine) -> None:
    assert run(engine, "g1").reason == "it was never requested: `penstock sync people --subject g1` does"


def test_a_request_that_is_not_folded(engine: Engine) -> None:
    asked(engine, "g1")
    answer = run(engine, "g1")
    assert (answer.state, answer.waits) == ("requested", "unfolded")
    assert "(edited), and the next step of a dispatcher folds that into a run" in answer.reason
    engine.clock.fetch("delete from penstock.workers returning id")
    assert run(engine, "g1").reason == "no worker is alive, so nobody folds requests or admits anything"


def test_a_run_that_was_admitted_waits_as_its_window_does(engine: Engine) -> None:
    asked(engine, "g1")
    engine.dispatch()
    answer = run(engine, "g1")
    assert (answer.state, answer.waits) == ("running", "window")
    assert "it is next in queue penstock.sync" in answer.reason
    engine.app.pause("penstock.sync")
    assert "queue penstock.sync has been paused" in run(engine, "g1").reason


def test_a_run_that_is_served_names_the_worker(engine: Engine) -> None:
    asked(engine, "g1")
    engine.dispatch()
    (job,) = engine.claim()
    answer = run(engine, "g1")
    assert answer.waits == "executing"
    assert f"a window serves it, as job {job.id}: worker test has been running it since" in answer.reason
    asked(engine, "g1")
    (request,) = facts(run(engine, "g1"), "request")
    assert request.endswith("it becomes the next run once this one has ended")


def test_runs_of_one_account_wait_for_each_other_in_the_policy_s_own_words(engine: Engine) -> None:
    asked(engine, "g1", "g2", "g3")
    engine.dispatch()
    states = {subject: run(engine, subject) for subject in ("g1", "g2", "g3")}
    waiting = [answer for answer in states.values() if answer.state == "pending"]
    assert len(waiting) == 2
    for answer in waiting:
        assert "1 runs of people are under way, and at most 1 may be" in answer.reason or \
            "account acme has 1 under way, and at most 1 may be" in answer.reason
    assert sorted(len(facts(answer, "place")) for answer in waiting) == [0, 1]


def test_a_gate_says_until_when_and_why_it_is_closed(engine: Engine) -> None:
    until_at = engine.clock.now_ms + 60_000
    engine.clock.fetch("insert into penstock.gates (key, state, until_at, reason, closed_at) values"
                       f" ('sync:people:acme', 'closed', {until_at}, '429', {engine.clock.now_ms}) returning key")
    asked(engine, "g1")
    engine.dispatch()
    answer = run(engine, "g1")
    assert (answer.waits, answer.until_at) == ("gate", until_at)
    assert answer.reason == "gate sync:people:acme is closed (429)"
    assert facts(answer, "gate") == ["sync:people:acme is closed until 2027-01-15 08:01:00 UTC: 429"]


@pytest.mark.parametrize(("account", "reason"), [
    (None, "sync people is paused"), ("acme", "account acme of people is paused"),
])
def test_a_sync_or_an_account_that_is_paused(engine: Engine, account: str | None, reason: str) -> None:
    engine.app.pause(sync="people", account=account)
    asked(engine, "g1")
    engine.dispatch()
    answer = run(engine, "g1")
    assert (answer.waits, answer.reason) == ("paused", reason)
    assert facts(answer, "paused")


def test_a_run_that_failed_waits_for_its_retry(engine: Engine, directory: Directory) -> None:
    directory.fail_after = 0
    engine.sync("people", "g1")
    answer = run(engine, "g1")
    assert (answer.state, answer.waits) == ("pending", "retry")
    assert answer.reason.startswith("attempt 1 failed (OSError: the source broke off); it is tried again on ")
    assert answer.until_at is not None


def test_a_subject_of_which_nothing_waits_says_how_its_last_run_ended(engine: Engine) -> None:
    engine.sync("people", "g1")
    answer = run(engine, "g1")
    assert (answer.state, answer.waits) == ("succeeded", "not requested")
    assert answer.reason.startswith("nothing of it waits: run 1, the last, ended as succeeded on 2027-01-15")


def test_a_subject_that_the_clock_requests_says_when(engine: Engine) -> None:
    due_at = engine.clock.now_ms + 3_600_000
    engine.clock.fetch("insert into penstock.sync_subjects (sync, subject, account, due_at, seen_at)"
                       f" values ('people', 'g1', 'acme', {due_at}, 0) returning sync")
    answer = run(engine, "g1")
    assert (answer.waits, answer.until_at) == ("not requested", due_at)
    assert answer.reason == "it was not requested yet: `every=` does on 2027-01-15 09:00:00 UTC"
    engine.sync("people", "g1")
    answer = run(engine, "g1")
    assert facts(answer, "next")[0].startswith("`every=` requests it on 2027-01-15")


def test_asking_writes_nothing_and_waits_for_nobody(engine: Engine, store_url: str, clock: Clock) -> None:
    """On PostgreSQL while somebody has locked what is asked about; SQLite's readers never wait."""
    asked(engine, "g1")
    engine.dispatch()
    if store_url.startswith("sqlite:"):
        own: Any = sqlite3.connect(store_url.removeprefix("sqlite:///"), isolation_level=None)
        own.execute("begin immediate")
    else:
        own = psycopg.connect(store_url)
        own.execute("select * from penstock.sync_runs for update")
    try:
        assert run(engine, "g1").waits == "window"
    finally:
        own.rollback()
        own.close()
