"""`kill -9` of workers and enqueuers, again and again: nothing is lost, and what runs twice was cut off by a kill.

What happened is taken from a ledger outside the database. `make test-crash` does it 50 times over 200,000 jobs.
"""

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.clock import Clock
from tests.crash.ledger import BATCH, UP, Ledger, Verdict
from tests.processes import Child, penstock, python
from tests.waiting import until

JOBS = int(os.environ.get("PENSTOCK_CRASH_JOBS", "5000"))
KILLS = int(os.environ.get("PENSTOCK_CRASH_KILLS", "3"))
LEASE_SECONDS = 3.0
WORKERS = 2
ENQUEUED_AHEAD = 4_000
APP = "tests.crash.ledger_app"
ENQUEUER = f"from {APP} import enqueue; enqueue()"
DEADLINE_SECONDS = 60 + JOBS / 500


class Crashes:
    """Keeps two workers and an enqueuer running, each in the place of one that was killed."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path, url: str) -> None:
        self._stack = stack
        self._folder = folder
        (folder / "ledger").mkdir()
        self._environment = {"PENSTOCK_URL": url, "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS),
                             "PENSTOCK_POLL_SECONDS": "0.2", "LEDGER": str(folder / "ledger")}
        self.ledger = Ledger(folder / "ledger")
        self.workers: dict[int, int | None] = {}
        self.enqueuers: dict[int, int | None] = {}
        self._waiting = list(range(-(-JOBS // BATCH)))[::-1]
        self._fed: list[int] = []
        self.running = [self._worker() for _ in range(WORKERS)]
        self.enqueuer = self._enqueuer()

    def _worker(self) -> Child:
        child: Child = self._stack.enter_context(penstock(
            "--app", APP, "worker", "--queue", "default=20", "--quiet", folder=self._folder, **self._environment))
        self.workers[child.process.pid] = None
        return child

    def _enqueuer(self) -> Child:
        child: Child = self._stack.enter_context(python(ENQUEUER, folder=self._folder, **self._environment))
        self.enqueuers[child.process.pid] = None
        return child

    def done(self) -> int:
        """About how many jobs have ended: each leaves two lines."""
        return self.ledger.size(self.workers) // 2

    def feed(self) -> None:
        """Have batches enqueued, so that there is always work, and always some to come."""
        while self._waiting and (len(self._fed) * BATCH) - self.done() < ENQUEUED_AHEAD:
            self._fed.append(self._waiting.pop())
            self.enqueuer.tell(str(self._fed[-1]))

    def kill_a_worker(self, place: int) -> None:
        victim = self.running[place]
        self.workers[victim.process.pid] = self._kill(victim)
        self.running[place] = self._worker()

    def kill_the_enqueuer(self) -> None:
        """What it had not begun is left to the next one; of what it had begun nobody knows whether it is committed."""
        pid = self.enqueuer.process.pid
        self.enqueuers[pid] = self._kill(self.enqueuer)
        begun = set().union(*(self.ledger.intended(pid) for pid in self.enqueuers))
        self._waiting += [batch for batch in self._fed if batch not in begun]
        self._fed = [batch for batch in self._fed if batch in begun]
        self.enqueuer = self._enqueuer()

    def _kill(self, child: Child) -> int:
        at = time.monotonic_ns()
        child.signal(signal.SIGKILL)
        child.wait()
        return at

    def up(self) -> bool:
        return all(self.ledger.says(child.process.pid, UP) for child in self.running)

    def progressed(self, jobs: int) -> bool:
        self.feed()
        return self.done() >= jobs

    def enqueued(self) -> bool:
        """Whether every batch was begun, and the last enqueuer is at its end."""
        self.feed()
        return not self._waiting

    def finish(self, clock: Clock) -> None:
        until("everything is enqueued", self.enqueued, DEADLINE_SECONDS)
        assert self.enqueuer.process.stdin is not None
        self.enqueuer.process.stdin.close()
        assert self.enqueuer.wait() == 0, self.enqueuer.rest()
        until("nothing is live", lambda: not clock.fetch("select 1 from penstock.live_jobs limit 1"), DEADLINE_SECONDS)
        until("all workers are up", self.up)
        for child in self.running:
            child.signal(signal.SIGTERM)
        for child in self.running:
            assert child.wait() == 0, child.rest()


def run(crashes: Crashes, clock: Clock, random: Random) -> Verdict:
    for kill in range(KILLS):
        until("all workers are up", crashes.up)
        moment = round(JOBS * (kill + random.uniform(0.3, 0.9)) / (KILLS + 1))
        until(f"{moment} jobs", lambda moment=moment: crashes.progressed(moment), DEADLINE_SECONDS)
        if kill % 3 == 1:
            crashes.kill_the_enqueuer()
        else:
            crashes.kill_a_worker(random.randrange(WORKERS))
    crashes.finish(clock)
    rows = clock.fetch("select state, id from penstock.jobs")
    assert {state for state, _ in rows} == {"completed"}
    assert len(rows) == len({id for _, id in rows})
    return crashes.ledger.judge(workers=crashes.workers, enqueuers=crashes.enqueuers,
                                completed={id for _, id in rows})


def figures(verdict: Verdict, store: str) -> dict[str, Any]:
    return {
        "store": store, "jobs": verdict.committed, "kills": verdict.kills_of_workers + verdict.kills_of_enqueuers,
        "kills_of_workers": verdict.kills_of_workers, "executions": verdict.executions, "lost": len(verdict.lost),
        "duplicates": verdict.duplicates, "duplicates_per_kill": round(verdict.duplicates_per_kill, 2),
        "executing_at_a_kill": verdict.executing_at_a_kill, "unacked_at_a_kill": verdict.unacked_at_a_kill,
        "oldest_unacked_ms": round(verdict.oldest_unacked_ms, 1), "after_a_lost_lease": verdict.after_a_lost_lease,
    }


def test_nothing_is_lost_and_every_repeat_is_explained_by_a_kill(
        store_url: str, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store = store_url.partition(":")[0]
    with contextlib.ExitStack() as stack:
        verdict = run(Crashes(stack, tmp_path, store_url), clock, Random(store))
    with capsys.disabled():
        print(f"\n{json.dumps(figures(verdict, store))}")
    assert verdict.lost == []
    assert verdict.torn == [], "a batch is there whole, or not at all"
    assert verdict.unexplained == []
    assert verdict.oldest_unacked_ms < LEASE_SECONDS * 1000, "what ended so long ago is settled, or the lease is lost"
    assert verdict.kills_of_workers + verdict.kills_of_enqueuers == KILLS
    assert verdict.committed >= JOBS - BATCH * verdict.kills_of_enqueuers
