"""A key with very many values: whatever waits, a step of the dispatcher reads and writes no more than its batch."""

from typing import Any

import pytest

from penstock import Penstock
from penstock.admission.queue_room import FIRST
from tests.clock import Clock
from tests.conformance.admission.desk import Desk

NEWS = 2000
"""How much news of lines one step takes in."""
EACH = 12
"""How many rows a step reads and writes at most for each of its news, and for each job that it admits."""
ROUNDS = 4
TOUCHED = """
    select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
    from pg_catalog.pg_stat_xact_user_tables where schemaname = 'penstock'"""


class Steps:
    """How many rows each step of a dispatcher reads and writes, as PostgreSQL counts them."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.touched = desk, list[int]()
        dispatcher: Any = desk.dispatcher
        act = dispatcher._act

        def counted(tx: Any, *given: Any) -> Any:
            before = self.count(tx)
            done = act(tx, *given)
            self.touched.append(self.count(tx) - before)
            return done

        dispatcher._act = counted

    @staticmethod
    def count(tx: Any) -> int:
        return int(tx.connection.execute(TOUCHED).fetchone()[0])

    def until_nothing_comes_of_one(self) -> list[int]:
        self.touched.clear()
        while self.desk.dispatcher.step() == 0:
            pass
        return list(self.touched)


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("values", [3000, pytest.param(1_000_000, marks=pytest.mark.thorough)])
def test_a_step_is_bounded_however_many_values_a_key_has(app: Penstock, desk: Desk, clock: Clock, values: int):
    ship: Any = app.task(name="ship", serial="order")(lambda order: None)
    for begin in range(0, values, 50_000):
        app.enqueue_many([ship.call(order) for order in range(begin, min(begin + 50_000, values))])
    steps = Steps(desk)
    folding = steps.until_nothing_comes_of_one()
    assert len(folding) >= values / NEWS
    assert max(folding) <= EACH * (NEWS + FIRST)
    assert clock.fetch("select count(*) from penstock.lines") == [(values,)]
    done = 0
    for _ in range(ROUNDS):
        jobs = desk.claim()
        assert jobs
        done += len(jobs)
        desk.settle(*jobs)
        touched = steps.until_nothing_comes_of_one()
        assert max(touched) <= EACH * (len(jobs) + desk.dispatcher._queues["default"].size) < values
    assert clock.fetch("select count(*) from penstock.lines") == [(values - done,)]
