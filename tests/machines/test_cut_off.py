"""Workers on several machines over one PostgreSQL, whose clocks differ, and one of which is cut off in its work."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.machines.places import Machine, behind_forwarders, in_namespaces, worker
from tests.waiting import until

LEASE_SECONDS = 2.0
SHIFTS = (0.0, 86_400.0, -3_600.0)
"""By how much the wall clock of each machine is off, in seconds; the second machine is the one that is cut off."""
CUT_OFF = 1

pytestmark = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


class Ledger:
    """What the machines wrote, each into a file of its own."""

    def __init__(self, folder: Path, machines: list[Machine]) -> None:
        self._paths = [folder / machine.name for machine in machines]

    def lines(self, machine: int, what: str) -> list[list[str]]:
        path = self._paths[machine]
        words = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [each[1:] for each in words if each[0] == what]

    def ran(self, machine: int) -> list[int]:
        return [int(id) for id, _ in self.lines(machine, "ran")]


@pytest.fixture(params=["namespaces", "forwarders"])
def machines(request: pytest.FixtureRequest, store_url: str) -> Iterator[list[Machine]]:
    make: Callable[..., Any] = in_namespaces if request.param == "namespaces" else behind_forwarders
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(make(store_url, len(SHIFTS)))
        except OSError as error:
            if os.environ.get("REQUIRE") == "1":
                raise
            pytest.skip(f"network namespaces need root and iproute2: {error}")
        yield found


def test_what_one_that_is_cut_off_held_goes_on_elsewhere_and_it_comes_back_as_another(
        store_url: str, clock: Clock, machines: list[Machine], tmp_path: Path):
    ledger = Ledger(tmp_path, machines)
    with contextlib.ExitStack() as stack:
        app = stack.enter_context(Penstock(store_url))
        work = app.task(name="work")(lambda number: None)

        def enqueue(count: int) -> None:
            app.enqueue_many([work.call(number) for number in range(count)])

        def advisory_locks() -> list[Any]:
            return clock.fetch("select objid, mode from pg_catalog.pg_locks where locktype = 'advisory'")

        for machine, shift in zip(machines, SHIFTS, strict=True):
            stack.enter_context(worker(machine, tmp_path, lease_seconds=LEASE_SECONDS, clock_shift_seconds=shift))
        until("all workers are up", lambda: all(ledger.lines(place, "up") for place in range(len(machines))))
        enqueue(600)
        until("the one that is to be cut off is at work", lambda: len(ledger.ran(CUT_OFF)) >= 30)
        until("no advisory lock outlasts its transaction", lambda: not advisory_locks())

        machines[CUT_OFF].cut()
        [(identity, held)] = clock.fetch(
            "select worker_id, count(*) from penstock.jobs where state = 'executing' and worker_id = "
            f"{ledger.lines(CUT_OFF, 'up')[0][0]} group by worker_id")
        assert held > 0
        until("all is done without it", lambda: not clock.fetch("select 1 from penstock.live_jobs"))
        assert not clock.fetch(f"select 1 from penstock.workers where id = {identity}")
        assert not ledger.lines(CUT_OFF, "replaced"), "it has heard of nothing"
        ended = "select id, state, attempt, finished_at, lease from penstock.finished_jobs order by id"
        before = clock.fetch(ended)
        assert len(before) == 600
        assert {row[1] for row in before} == {"completed"}
        assert max(row[2] for row in before) >= 2, "an attempt of the one that was cut off is counted"

        machines[CUT_OFF].restore()
        until("it has a new identity", lambda: ledger.lines(CUT_OFF, "replaced"))
        assert int(ledger.lines(CUT_OFF, "replaced")[0][0]) == identity
        until("its late settles were rejected", lambda: ledger.lines(CUT_OFF, "stale"))
        assert clock.fetch(ended) == before, "what it said too late changed nothing"

        worked = len(ledger.ran(CUT_OFF))
        enqueue(300)
        until("it works again", lambda: len(ledger.ran(CUT_OFF)) > worked)
        until("all is done", lambda: not clock.fetch("select 1 from penstock.live_jobs"))
        until("no advisory lock has outlasted its transaction", lambda: not advisory_locks())

    for place, shift in enumerate(SHIFTS):
        times = [float(at) for _, at in ledger.lines(place, "ran")]
        assert times
        assert all(abs(at - shift - time.time()) < 600 for at in times), "its clock is as far off as it should be"
    [(first_ms, last_ms)] = clock.fetch("select min(attempted_at), max(finished_at) from penstock.finished_jobs")
    assert first_ms / 1000 > time.time() - 600, "whoever runs a job, the database says when"
    assert last_ms / 1000 < time.time() + 600
    elsewhere = set(ledger.ran(0)) | set(ledger.ran(2))
    assert elsewhere & set(ledger.ran(CUT_OFF)), "what it was at ran again elsewhere"
