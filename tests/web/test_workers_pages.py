"""The pages of workers and of periodic tasks: what they show, to whom, and what can be done there."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from penstock import Penstock
from penstock.domain.stacks import SlotStack, Stacks
from penstock.worker.inline import registered
from tests.clock import Clock
from tests.engine import Engine
from tests.web.conftest import Client
from tests.web.people import someone

HOSTILE = "<script>alert(1)</script>"


def a_worker(app: Penstock, queues: Any = None) -> int:
    app.migrate()
    return app.store.write(lambda tx: registered(tx, "host:1", 30_000, {"mail": 3} if queues is None else queues))


def answer(app: Penstock, id: int, stacks: Stacks) -> None:
    """What the worker does once it is asked."""
    ((_, asked_at),) = app.store.look("asked_of_worker", {"worker_id": id})
    told = {"worker_id": id, "asked_at": asked_at, "stacks": msgspec.json.encode(stacks).decode()}
    app.store.write(lambda tx: tx.execute("stacks_answer", told))


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    @app.task(name="work")
    def work(n: int) -> None: ...

    engine = Engine(app, clock)
    work.enqueue(1)
    return engine


def test_without_workers_the_page_teaches_how_to_start_one(client: Client):
    assert "penstock worker --queue" in client.get("/workers").text


def test_workers_are_listed_and_each_has_a_page(app: Penstock, client: Client, clock: Clock):
    id = a_worker(app)
    listed = client.get("/workers").text
    assert f'id="worker-{id}"' in listed
    assert "mail <b>3</b>" in listed
    assert "alive" in listed
    assert client.get(f"/api/v1/workers/{id}").json()["worker"]["slots"] == {"mail": 3}
    assert "Nothing is under way" in client.get(f"/workers/{id}").text
    clock.advance(31)
    assert "lost" in client.get("/workers").text


def test_a_worker_that_is_gone_is_not_found(client: Client):
    page = client.get("/workers/77")
    assert page.status_code == 404
    assert "There is no worker 77" in page.text
    assert client.get(f"/workers/{2**70}").status_code == 400


def test_a_worker_shows_what_it_runs(engine: Engine, client: Client):
    (job,) = engine.claim("default")
    page = client.get(f"/workers/{engine.worker_id}").text
    assert f'id="job-{job.id}"' in page


def test_its_stacks_are_shown_to_whoever_asks(engine: Engine, app: Penstock, client: Client):
    (job,) = engine.claim("default")
    asked = client.post_form(f"/workers/{engine.worker_id}/stacks", {})
    assert "was asked for its stacks" in asked.text
    assert "has not answered yet" in asked.text
    answer(app, engine.worker_id, Stacks((SlotStack(job.id, HOSTILE, "thread", 1500, (f"{HOSTILE} (a/b.py:7)",)),), 2))
    page = client.get(f"/workers/{engine.worker_id}").text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (a/b.py:7)" in page
    assert "2 more slots" in page


def test_one_that_runs_nothing_is_not_asked(app: Penstock, client: Client):
    id = a_worker(app)
    assert "nothing under way" in client.post_form(f"/workers/{id}/stacks", {}).text
    assert app.stacks(id) is None


def test_stacks_are_not_for_those_who_may_only_operate(engine: Engine, app: Penstock):
    (job,) = engine.claim("default")
    app.ask_stacks(engine.worker_id)
    answer(app, engine.worker_id, Stacks((SlotStack(job.id, "work", "thread", 1, ("f (a/b.py:7)",)),)))
    with someone(app, "operate") as client:
        page = client.get(f"/workers/{engine.worker_id}")
        assert page.status_code == 200
        assert "b.py:7" not in page.text
        assert client.get(f"/api/v1/workers/{engine.worker_id}").json()["stacks"] is None
        assert client.post(f"/api/v1/workers/{engine.worker_id}/stacks").status_code == 403


def test_without_periodic_tasks_the_page_teaches_how_to_declare_one(client: Client):
    assert "app.periodic(" in client.get("/periodic").text


def test_periodic_tasks_show_what_is_next_and_what_was_missed(app: Penstock, client: Client, clock: Clock):
    @app.task(name="report")
    def report() -> None: ...

    app.periodic("reports", report.call(), every=timedelta(minutes=10))
    assert 'id="periodic-reports"' in client.get("/periodic").text

    assert "reports is paused" in client.post_form("/periodic/pause", {"name": "reports"}).text
    assert "paused" in client.get("/periodic").text
    assert "goes on from now" in client.post_form("/periodic/resume", {"name": "reports"}).text

    clock.advance(30 * 60)
    page = client.get("/periodic").text
    assert "overdue" in page
    assert "one job for all of them" in page


def test_a_periodic_task_that_nobody_declares_is_refused(client: Client):
    page = client.post_form("/periodic/pause", {"name": "nope"})
    assert page.status_code == 409
    assert "expected the name of a periodic task" in page.text
