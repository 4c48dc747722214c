"""The pages of jobs: the list with its filters, one job, why it waits, and what is done to one or to many."""

import re
from typing import Any

import pytest

from penstock import Penstock, RetryPolicy
from penstock.app import piecewise
from penstock.domain.jobs import Outcome
from penstock.queue.claim import settle
from tests.clock import START_MS, Clock
from tests.engine import Engine
from tests.web.conftest import Client
from tests.web.people import someone

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    @app.task(name="work", retry=RetryPolicy(max_attempts=1))
    def work(text: str) -> None: ...

    @app.task(name="send", queue="mail")
    def send(n: int) -> None: ...

    return Engine(app, clock)


def enqueued(app: Penstock, task: str, count: int = 1, argument: Any = None, **options: Any) -> list[int]:
    calls = [app.tasks[task].using(**options).call(str(n) if argument is None else argument) for n in range(count)]
    return [job.id for job in app.enqueue_many(calls)]


def failed(engine: Engine, count: int = 1, error: str = "boom", error_class: str = "ValueError") -> list[int]:
    """Jobs of `work` that are out of attempts."""
    ids = enqueued(engine.app, "work", count)
    outcomes = [Outcome(job.id, job.lease, "discarded", error_class=error_class, error=error, keep_ms=10**9)
                for job in engine.claim("default", count)]
    settle(engine.app.store.control, outcomes)
    return ids


def listed(page: str) -> list[int]:
    return [int(id) for id in re.findall(r'<tr id="job-(\d+)"', page)]


def states(app: Penstock, ids: list[int]) -> list[str]:
    found = (app.job(id) for id in ids)
    return [job.state for job in found if job is not None]


# The list

def test_without_jobs_the_list_teaches_how_to_get_some(client: Client):
    page = client.get("/jobs").text
    assert "No jobs yet" in page
    assert "penstock worker" in page


def test_jobs_are_filtered_by_what_stands_in_the_url(engine: Engine, client: Client):
    app = engine.app
    (bad,) = failed(engine, error_class="KeyError")
    (plain,) = enqueued(app, "work", tags=["offer:7"])
    (mail,) = enqueued(app, "send", argument=1)
    assert listed(client.get("/jobs").text) == [mail, plain, bad]
    for query, wanted in [("task=send", [mail]), ("queue=default", [plain, bad]), ("state=discarded", [bad]),
                          ("tag=offer:7", [plain]), ("error_class=KeyError", [bad]), ("since=1h", [mail, plain, bad]),
                          ("until=1h", []), ("since=2099-01-01+00:00", []), ("task=&queue=mail", [mail])]:
        assert listed(client.get(f"/jobs?{query}").text) == wanted, query
    assert client.get("/api/v1/jobs?task=send").json()["jobs"][0]["id"] == mail
    page = client.get("/jobs?state=discarded&task=work").text
    assert '<option value="send">' in page
    assert 'name="state" value="discarded"' in page


@pytest.mark.parametrize(("query", "status", "says"), [
    ("since=soon", 400, "expected 15m, 1h or 7d"), ("state=done", 409, "expected one of"), ("after=x", 409, ""),
])
def test_a_filter_that_cannot_be_is_told_so(engine: Engine, client: Client, query: str, status: int, says: str):
    page = client.get(f"/jobs?{query}")
    assert page.status_code == status
    assert says in page.text


def test_the_list_goes_on_by_key_and_keeps_its_filters(engine: Engine, client: Client):
    ids = enqueued(engine.app, "work", 60)
    enqueued(engine.app, "send", argument=1)
    first = client.get("/jobs?task=work").text
    assert listed(first) == ids[:9:-1]
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    older = older.replace("&amp;", "&")
    assert "task=work" in older
    second = client.get(older).text
    assert listed(second) == ids[9::-1]
    assert 'rel="next"' not in second


def test_the_tabs_count_by_state_from_counters(engine: Engine, client: Client):
    failed(engine, 2)
    enqueued(engine.app, "send", argument=1)
    page = client.get("/api/v1/jobs?task=work").json()
    assert page["states"]["discarded"] == 2
    assert page["total"] == 2
    assert page["now"] == START_MS


def test_hostile_text_is_escaped_wherever_it_stands(engine: Engine, client: Client):
    app = engine.app
    (bad,) = failed(engine, error=f"Traceback:\n  {HOSTILE}", error_class=HOSTILE)
    (waits,) = enqueued(app, "work", argument=HOSTILE, tags=[HOSTILE])
    for path in ("/jobs", f"/jobs?tag={HOSTILE}", f"/jobs/{waits}?show=1", f"/jobs/{bad}",
                 f"/jobs?error_class={HOSTILE}", f"/jobs/act?act=retry&id={bad}&tag={HOSTILE}",
                 f"/why/waiting/job/{bad}"):
        page = client.get(path)
        assert page.status_code == 200, path
        assert HOSTILE not in page.text, path
        assert "&lt;script&gt;" in page.text, path


# One job

def test_a_job_has_its_timeline_its_error_and_what_can_be_done(engine: Engine, client: Client, clock: Clock):
    (id,) = failed(engine, error="Traceback (most recent call last):\n  File x\nValueError: no such offer")
    page = client.get(f"/jobs/{id}").text
    for words in ("enqueued", "discarded", "kept until", "ValueError: no such offer", "Traceback", "1 of 1",
                  f"/jobs/{id}/retry"):
        assert words in page
    assert f"/jobs/{id}/cancel" not in page
    assert '<details class="hidden" id="traceback" open>' in page


def test_each_attempt_that_failed_is_shown_with_its_error(engine: Engine, client: Client):
    (id,) = enqueued(engine.app, "work")
    for said in ("no such offer", f"password=hush-hush {HOSTILE}"):
        error = f"Traceback (most recent call last):\n  File x\nValueError: {said}"
        settle(engine.app.store.control, [Outcome(job.id, job.lease, "available", error_class="ValueError", error=error)
                                          for job in engine.claim("default", 1)])
    page = client.get(f"/jobs/{id}").text
    shown = page[page.index("Attempts that failed"):]
    assert shown.index("Attempt 2") < shown.index("Attempt 1")
    assert re.findall(r'<details class="hidden" id="traceback-\d+-(\d)"><summary>Traceback', shown) == ["2", "1"]
    assert "<b>ValueError</b>: no such offer" in shown
    for text in (page, client.get(f"/api/v1/jobs/{id}").text):
        assert "hush-hush" not in text
    assert HOSTILE not in page
    found = client.get(f"/api/v1/jobs/{id}").json()
    assert [each["attempt"] for each in found["job"]["failures"]] == [2, 1]
    assert found["last_lines"][1] == "no such offer"


def test_a_single_failure_is_said_once_and_one_that_was_got_over_is_still_there(engine: Engine, client: Client):
    (once,) = failed(engine)
    assert "Attempts that failed" not in client.get(f"/jobs/{once}").text
    (id,) = enqueued(engine.app, "work")
    for state in ("available", "completed"):
        error = {"error_class": "ValueError", "error": "boom"} if state == "available" else {}
        settle(engine.app.store.control, [Outcome(job.id, job.lease, state, keep_ms=10**9, **error)
                                          for job in engine.claim("default", 1)])
    page = client.get(f"/jobs/{id}").text
    assert "<b>ValueError</b>: boom" in page[page.index("Attempts that failed"):]


def test_an_error_is_said_once_wherever_its_class_lives(engine: Engine, client: Client):
    (id,) = failed(engine, error="Traceback (most recent call last):\n  File x\nshop.bank.Declined: no funds",
                   error_class="Declined")
    assert client.get(f"/api/v1/jobs/{id}").json()["last_line"] == "no funds"
    (id,) = failed(engine, error="Declined", error_class="Declined")
    assert client.get(f"/api/v1/jobs/{id}").json()["last_line"] == ""


def test_arguments_are_hidden_until_they_are_asked_for(engine: Engine, client: Client):
    (id,) = enqueued(engine.app, "work", argument="hush-hush")
    assert "hush-hush" not in client.get(f"/jobs/{id}").text
    assert "hush-hush" in client.get(f"/jobs/{id}?show=1").text
    assert client.get(f"/api/v1/jobs/{id}").json()["job"]["arguments"] == ""
    with someone(engine.app, "operate") as other:
        page = other.get(f"/jobs/{id}?show=1").text
        assert "hush-hush" not in page
        assert "needs the scope" in page
        assert "hush-hush" not in other.get(f"/api/v1/jobs/{id}?show=1").text


def test_values_with_the_names_of_secrets_are_masked(engine: Engine, client: Client):
    app = engine.app

    @app.task(name="login")
    def login(password: str) -> None: ...

    id = login.enqueue("hush-hush").id
    page = client.get(f"/jobs/{id}?show=1").text
    assert "password" in page
    assert "hush-hush" not in page


def test_a_job_that_is_gone_is_not_found(engine: Engine, client: Client):
    page = client.get("/jobs/123456")
    assert page.status_code == 404
    assert "There is no job 123456" in page.text
    assert client.post_form("/jobs/123456/retry", {}).status_code == 404
    assert client.get(f"/jobs/{2**70}").status_code == 400


def test_why_it_waits_is_one_click_away(engine: Engine, client: Client):
    (id,) = enqueued(engine.app, "send", argument=1)
    assert f"/why/waiting/job/{id}" in client.get("/jobs").text
    assert "It waits:" in client.get(f"/jobs/{id}").text
    why = client.get(f"/why/waiting/job/{id}")
    assert why.status_code == 200
    assert "mail" in why.text
    assert '<a class="button" href="/workers">Workers</a>' in why.text  # nobody serves its queue
    assert "There is no job 987" in client.get("/why/waiting/job/987").text


def test_what_a_job_waits_for_is_linked(engine: Engine, client: Client):
    app = engine.app
    first = app.tasks["work"].enqueue("a")
    second = app.tasks["work"].using(after=[first]).enqueue("b")
    assert f'href="/jobs/{first.id}"' in client.get(f"/jobs/{second.id}").text
    assert f'href="/jobs/{second.id}"' in client.get(f"/jobs/{first.id}").text


def test_a_batch_has_a_page(engine: Engine, client: Client):
    app = engine.app
    id = app.batch([app.tasks["work"].call("a")]).id
    page = client.get(f"/batches/{id}")
    assert page.status_code == 200
    assert "0% ended" in page.text
    assert client.get("/batches/999").status_code == 404


def test_batches_are_listed_and_lead_to_what_failed_in_them(engine: Engine, client: Client):
    app = engine.app
    assert "No batches yet" in client.get("/batches").text
    work = app.tasks["work"]
    batch = app.batch([work.call("a"), work.call("b"), work.call("c")], app.tasks["send"].call(1))
    assert batch.then is not None
    other = enqueued(app, "work", 2)
    outcomes = [Outcome(job.id, job.lease, "discarded", error_class="ValueError", error="boom", keep_ms=10**9)
                for job in engine.claim("default", 5) if job.id in (batch.jobs[1].id, *other)]
    settle(app.store.control, outcomes)
    app.dispatcher().step()
    page = client.get("/batches").text
    assert f'<tr id="batch-{batch.id}">' in page
    assert ">work<" in page
    page = client.get(f"/batches/{batch.id}").text
    assert re.findall(r'<tr id="failed-(\d+)"', page) == [str(batch.jobs[1].id)]
    assert listed(page) == [job.id for job in batch.jobs]
    assert f'href="/jobs/{batch.then.id}"' in page
    found = client.get(f"/api/v1/batches/{batch.id}").json()
    assert (found["percent"], found["pending"], len(found["awaited_by"])) == (pytest.approx(100 / 3), 2, 1)
    query = f"batch={batch.id}&state=discarded"
    assert listed(client.get(f"/jobs?{query}").text) == [batch.jobs[1].id]
    assert f"/jobs/act?all=1&amp;batch={batch.id}&amp;state=discarded&amp;act=retry" in page
    asks = client.get(f"/jobs/act?all=1&{query}&act=retry").text
    assert "<b>1</b> job that match" in asks
    client.post_form("/jobs/act", {"all": "1", "act": "retry", "state": "discarded", "batch": str(batch.id)})
    assert states(app, [batch.jobs[1].id, *other]) == ["available", "discarded", "discarded"]


def test_the_counts_by_state_are_left_out_where_they_would_be_of_something_else(engine: Engine, client: Client):
    enqueued(engine.app, "work", 3)
    assert '<span class="count">3</span>' in client.get("/jobs?task=work").text
    assert 'class="count"' not in client.get("/jobs?tag=offer:7").text


# Acts on one job

def test_a_job_is_retried_cancelled_discarded_and_made_due(engine: Engine, client: Client):
    app = engine.app
    (bad,) = failed(engine)
    assert f"job {bad} was put back" in client.post_form(f"/jobs/{bad}/retry", {}).text
    assert states(app, [bad]) == ["available"]
    assert "was cancelled" in client.post_form(f"/jobs/{bad}/cancel", {"reason": "a mistake"}).text
    assert states(app, [bad]) == ["cancelled"]
    assert "nothing was done" in client.post_form(f"/jobs/{bad}/discard", {}).text
    from datetime import timedelta
    (later,) = enqueued(app, "work", run_after=timedelta(days=1))
    assert "is due now" in client.post_form(f"/jobs/{later}/run-now", {}).text
    assert "was discarded" in client.post_form(f"/jobs/{later}/discard", {}).text
    assert states(app, [later]) == ["discarded"]


def test_what_runs_is_asked_to_end(engine: Engine, client: Client):
    (id,) = enqueued(engine.app, "work")
    engine.claim("default")
    assert "was asked to end" in client.post_form(f"/jobs/{id}/cancel", {}).text


def test_acts_are_in_the_journal(engine: Engine, client: Client):
    (bad,) = failed(engine)
    client.post_form(f"/jobs/{bad}/retry", {})
    client.post_form("/jobs/act", {"act": "cancel", "id": [bad], "reason": "a mistake"})
    found = {entry.about: entry for entry in engine.app.journal()}
    assert (found[f"job:{bad}"].before, found[f"job:{bad}"].after) == ("discarded", "available")
    assert "a mistake" in (found[f"jobs:{bad}"].after or "")


def test_who_may_only_read_sees_no_buttons_and_is_refused(engine: Engine):
    (bad,) = failed(engine)
    with someone(engine.app, "read") as reader:
        for path in ("/jobs?state=discarded", f"/jobs/{bad}", "/queues", "/periodic"):
            page = reader.get(path).text
            changing = re.findall(r'<form[^>]* method="post" action="([^"]*)"', page) + re.findall("formaction", page)
            assert changing in ([], ["/theme"])
        for path in (f"/jobs/{bad}/retry", "/jobs/act", "/queues/pause"):
            body = {"act": "retry", "id": [bad]} if path == "/jobs/act" else {"queue": "q"} if "queues" in path else {}
            assert reader.post(f"/api/v1{path}", json=body).status_code == 403
        assert reader.get(f"/jobs/act?act=retry&id={bad}").status_code == 403
    assert states(engine.app, [bad]) == ["discarded"]


# Acts on many jobs

def test_those_that_are_ticked_are_acted_on_after_a_question(engine: Engine, client: Client):
    one, two, left = failed(engine, 3)
    asked = client.get(f"/jobs/act?act=retry&id={one}&id={two}&state=discarded").text
    assert "<b>2</b> jobs" in asked
    assert states(engine.app, [one, two, left]) == ["discarded"] * 3
    done = client.post_form("/jobs/act", {"act": "retry", "id": [one, two], "state": "discarded"})
    assert "2 jobs were put back to run again." in done.text
    assert listed(done.text) == [left]
    assert states(engine.app, [one, two, left]) == ["available", "available", "discarded"]


def test_all_that_match_are_acted_on_with_their_count_told_before(engine: Engine, client: Client):
    ids = failed(engine, 70)
    (other,) = enqueued(engine.app, "send", argument=1)
    asked = client.get("/jobs/act?act=retry&all=1&state=discarded&task=work").text
    assert "<b>70</b> jobs" in asked
    assert "Retry 70" in asked
    done = client.post_form("/jobs/act", {"act": "retry", "all": "1", "state": "discarded", "task": "work"})
    assert "70 jobs were put back to run again." in done.text
    assert set(states(engine.app, ids)) == {"available"}
    cancelled = client.post_form("/jobs/act", {"act": "cancel", "all": "1", "state": "available", "task": "work"})
    assert "70 jobs were cancelled." in cancelled.text
    assert states(engine.app, [other]) == ["available"]


def test_what_takes_longer_a_job_goes_on_with(engine: Engine, client: Client, monkeypatch: pytest.MonkeyPatch):
    ids = failed(engine, 150)
    monkeypatch.setattr(piecewise, "_SECONDS_AT_ONCE", 0)  # one batch of a hundred
    done = client.post_form("/jobs/act", {"act": "retry", "all": "1", "state": "discarded"})
    assert "100 jobs were put back to run again so far; there are more, and job" in done.text
    (job,) = [each.id for each in engine.app.jobs(task="penstock.act").jobs]
    assert f"<h1>Job {job} " in done.text, "it is what is shown now"
    assert f"job {job} goes on" in str(engine.app.journal()[0])
    engine.serve()
    assert set(states(engine.app, ids)) == {"available"}
    found = engine.app.job_found(job)
    assert found is not None
    assert found.state == "completed"


@pytest.mark.parametrize(("fields", "status", "says"), [
    ({"act": "retry"}, 400, "no job was ticked"), ({"act": "retry", "all": "1"}, 400, "choose their state first"),
    ({"act": "retry", "all": "1", "state": "available"}, 400, "choose their state first"),
    ({"act": "explode", "id": ["1"]}, 409, "expected one of"), ({"id": ["1"]}, 400, "act"),
])
def test_what_nobody_means_is_not_done(engine: Engine, client: Client, fields: dict[str, Any], status: int, says: str):
    page = client.post_form("/jobs/act", fields)
    assert page.status_code == status
    assert says in page.text


def test_those_whose_state_has_changed_are_left_alone(engine: Engine, client: Client):
    (bad,) = failed(engine)
    (waits,) = enqueued(engine.app, "work")
    done = client.post_form("/jobs/act", {"act": "retry", "id": [bad, waits]}).text
    assert "1 job was put back to run again, 1 left alone" in done


# Queues

def test_queues_show_what_waits_how_long_and_who_serves_them(engine: Engine, client: Client, clock: Clock):
    from penstock.worker.inline import registered

    engine.app.store.write(lambda tx: registered(tx, "w", 10**9, {"default": 4}))
    enqueued(engine.app, "work", 3)
    engine.claim("default", 1)
    engine.upkeep()
    clock.advance(120)
    page = client.get("/queues").text
    assert 'id="queue-default"' in page
    assert 'id="queue-mail"' in page  # a task names it
    found = {each["backlog"]["queue"]: each["backlog"] for each in client.get("/api/v1/queues").json()["queues"]}
    assert (found["default"]["available"], found["default"]["executing"], found["default"]["slots"]) == (2, 1, 4)
    assert found["default"]["age_ms"] == 120_000
    assert found["mail"]["age_ms"] is None


def test_a_queue_is_paused_and_resumed(engine: Engine, client: Client):
    enqueued(engine.app, "work")
    assert "queue default is paused" in client.post_form("/queues/pause", {"queue": "default"}).text
    assert [each.queue for each in engine.app.paused()] == ["default"]
    assert "Resume" in client.get("/queues").text
    assert "was paused already" in client.post_form("/queues/pause", {"queue": "default"}).text
    assert "queue default goes on" in client.post_form("/queues/resume", {"queue": "default"}).text
    assert engine.app.paused() == []
    assert client.post_form("/queues/pause", {"queue": "No Queue!"}).status_code == 409
