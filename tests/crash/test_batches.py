"""`kill -9` of workers in the middle of a batch: who waits is released once, and never before its time."""

import contextlib
import signal
from pathlib import Path

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.processes import Child, penstock
from tests.stores import on_postgres
from tests.waiting import until

APP = "tests.crash.batches_app"


@on_postgres  # and on a file in thousands
@pytest.mark.parametrize(("jobs", "kills"), [(300, 1), pytest.param(3_000, 5, marks=pytest.mark.thorough)])
def test_a_batch_and_what_waits_for_its_jobs(store_url: str, clock: Clock, tmp_path: Path, jobs: int, kills: int):
    ledger = tmp_path / "ledger"
    ledger.touch()
    environment = {"PENSTOCK_URL": store_url, "PENSTOCK_LEASE_SECONDS": "2", "PENSTOCK_POLL_SECONDS": "0.2",
                   "LEDGER": str(ledger)}
    with Penstock(store_url) as app:
        work, follow = (app.task(name=name)(lambda number: None) for name in ("work", "follow"))
        then = app.task(name="then")(lambda batch_id: None)
        calls = [work.call(number) for number in range(jobs)]
        batch = app.batch(calls, then=then)
        app.enqueue_many(follow.using(after=[job], on_failure="run").call(number)
                         for number, job in enumerate(batch.jobs))

        with contextlib.ExitStack() as stack:
            def worker() -> Child:
                return stack.enter_context(penstock("--app", APP, "worker", "--queue", "default=4", "--quiet",
                                                    folder=tmp_path, **environment))

            running = [worker(), worker()]
            for kill in range(kills):
                wanted = 2 * jobs * (kill + 1) // (kills + 2)
                until(f"{wanted} jobs", lambda wanted=wanted: ledger.read_bytes().count(b"\n") >= wanted, 90)
                victim = running.pop(0)
                victim.signal(signal.SIGKILL)
                victim.wait()
                running.append(worker())
            until("nothing is live", lambda: not clock.fetch("select 1 from penstock.live_jobs limit 1"), 90)

        assert clock.fetch("select state, count(*) from penstock.jobs group by state") == [("completed", 2 * jobs + 1)]
        status = app.batch_status(batch)
    assert status is not None
    assert (status.total, status.completed, status.pending) == (jobs, jobs, 0)
    assert status.finished_at is not None
    said = [tuple(line.split()) for line in ledger.read_text().splitlines()]
    first = {words: place for place, words in reversed(list(enumerate(said)))}
    early = [number for number in range(jobs) if first["follow", str(number)] < first["work", str(number)]]
    assert not early, "these did not wait"
    assert first["then", str(batch.id)] > max(first["work", str(number)] for number in range(jobs))
    assert set(first) == {("then", str(batch.id))} | {(kind, str(number)) for kind in ("work", "follow")
                                                      for number in range(jobs)}
