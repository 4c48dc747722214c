"""People hold back a queue, a sync, an account or a key: what runs goes on, and nothing is lost."""

from typing import Any

import pytest

from penstock import Concurrency, Penstock, Rate
from penstock.domain.errors import ConfigurationError
from tests.clock import Clock
from tests.conformance.admission.desk import Desk
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def test_a_key_is_held_back_until_it_is_resumed(app: Penstock, desk: Desk):
    @app.task(name="ship", serial="order", concurrency=Concurrency(2, by="customer"))
    def ship(order: int, customer: int) -> None: ...

    one, two = ship.enqueue(1, 7).id, ship.enqueue(2, 8).id
    assert app.pause(key="serial:ship:1")
    assert not app.pause(key="serial:ship:1")
    assert desk.drain() == [two]
    later = ship.enqueue(1, 7).id
    assert desk.drain() == []
    assert [each.what for each in app.paused()] == ["key serial:ship:1"]
    assert app.resume(key="serial:ship:1")
    assert not app.resume(key="serial:ship:1")
    assert desk.drain() == [one, later]
    app.pause(key="concurrency:ship:7")
    third, fourth = ship.enqueue(1, 7).id, ship.enqueue(3, 9).id
    assert desk.drain() == [fourth]
    app.resume(key="concurrency:ship:7")
    assert desk.drain() == [third]
    assert desk.lines() == []


def test_what_runs_goes_on_and_a_line_may_be_paused_before_it_is_there(app: Penstock, desk: Desk):
    ship: Any = app.task(name="ship", serial="order")(lambda order: None)
    app.pause(key="serial:ship:1")
    job = ship.enqueue(1).id
    assert desk.work() == []
    app.resume(key="serial:ship:1")
    desk.dispatch()
    (running,) = desk.claim()
    app.pause(key="serial:ship:1")
    ship.enqueue(1)
    desk.settle(running)
    assert desk.work() == []
    assert desk.began == [job]


def test_a_paused_queue_admits_nothing(app: Penstock, desk: Desk):
    ship: Any = app.task(name="ship", serial="order")(lambda order: None)
    app.pause("default")
    job = ship.enqueue(1).id
    desk.dispatch()
    assert desk.clock.fetch("select state from penstock.live_jobs") == [("pending",)]
    assert [each.queue for each in app.paused()] == ["default"]
    app.resume("default")
    assert desk.work() == [job]


def test_a_sync_and_an_account_are_held_back(engine: Engine, directory: Directory):
    app = engine.app
    app.pause(sync="people", account="acme")
    directory.sync.request("g1", account="acme")
    engine.settle_all()
    assert [run.status for run in app.runs("people")] == ["pending"]  # folded, and waiting
    app.pause(sync="people")
    app.resume(sync="people", account="acme")
    engine.settle_all()
    assert [run.status for run in app.runs("people")] == ["pending"]
    assert {each.what for each in app.paused()} == {"sync people"}
    app.resume(sync="people")
    engine.settle_all()
    assert [run.status for run in app.runs("people")] == ["succeeded"]


@pytest.mark.parametrize("named", [{}, {"queue": "a", "sync": "people"}, {"account": "acme"}, {"key": "42"},
                                   {"sync": "peple"}])
def test_it_names_exactly_one_thing(engine: Engine, named: dict[str, str]):
    with pytest.raises(ConfigurationError):
        engine.app.pause(**named)


def test_a_gate_that_a_person_is_to_open_is_not_tried(app: Penstock, desk: Desk, clock: Clock):
    task: Any = app.task(name="paced", limits=[Rate(60, per="minute", by="crm")])(lambda number: None)
    app.gate("crm").close("maintenance")
    job = task.enqueue(1).id
    for _ in range(3):
        desk.another()  # it remembers nothing of what was tried
        assert desk.work() == []
        clock.advance(3600)
    app.gate("crm").open()
    assert desk.work() == [job]
