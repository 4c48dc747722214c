"""Whoever is cut off in the middle of a step does not stop the others; nor does user code that fails."""

from typing import Any

import psycopg

from penstock import Penstock
from penstock.events import Event, SubjectsFailed
from penstock.store.statements import statement
from tests.clock import Clock
from tests.conformance.admission.desk import Desk
from tests.conformance.admission.test_schedules import Numbered
from tests.waiting import until


def test_the_lock_of_a_dispatcher_that_is_cut_off_is_free_again(app: Penstock, desk: Desk, store_url: str):
    if store_url.startswith("sqlite"):
        return  # its file is locked by a process of this machine, or by nobody
    ship: Any = app.task(name="ship", serial="order")(lambda order: None)
    job = ship.enqueue(1).id
    with psycopg.connect(store_url) as cut_off:
        held = cut_off.execute(statement("lock_dispatch", "postgres").sql.encode(), {"idle_ms": 300}).fetchone()
        assert held is not None
        assert held[0] is True
        desk.dispatcher.step()
        assert desk.claim() == []

        def admitted() -> bool:
            desk.dispatcher.step()
            return [each.id for each in desk.claim()] == [job]

        until("another dispatcher acts", admitted, 10)
        cut_off.close()


def test_a_sync_whose_subjects_fail_holds_up_nobody(app: Penstock, desk: Desk, clock: Clock):
    numbered = Numbered(app, 3)
    numbered.error = ValueError("the source is away")
    told: list[Event] = []
    app.listen(told.append)
    ship: Any = app.task(name="ship", serial="order")(lambda order: None)
    job = ship.enqueue(1).id
    app.request([{"sync": "values", "subject": name, "account": account, "priority": 0, "reason": "", "options": ""}
                 for name, account in (("s0", None), ("s1", "acme"))])
    assert desk.work() == [job]
    assert told.count(SubjectsFailed(sync="values", error="ValueError: the source is away")) == 1
    assert clock.fetch("select subject, attempt from penstock.sync_runs") == [("s1", 0)]
    numbered.error = None
    desk.another()
    desk.dispatch()
    assert clock.fetch("select subject from penstock.sync_runs order by subject") == [("s0",), ("s1",)]


def test_a_clock_that_jumps_loses_nothing_and_stalls_nothing(app: Penstock, desk: Desk, clock: Clock):
    ship: Any = app.task(name="ship", serial="order")(lambda order: None)
    jobs = []
    for seconds in (3600, -7200, 86_400, -86_400):
        jobs += [ship.enqueue(number).id for number in (1, 2)]
        assert len(desk.work()) == 2
        jobs += [ship.enqueue(number).id for number in (1, 2)]
        clock.advance(seconds)
        assert len(desk.work()) == 2
    assert sorted(desk.began) == jobs
    desk.dispatch()
    assert desk.lines() == []
