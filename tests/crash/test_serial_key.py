"""Fifty contenders for one serial key, some killed and some paused while they hold it.

What happened is taken from a ledger outside the database. A worker that is paused for longer than its lease may still
be in a body while another runs the job again: what it settles is refused. Of what the store accepts nothing overlaps,
and all is in order. `make test-crash` does it over 100,000 jobs.
"""

import contextlib
import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.crash.ledger import ENDED, STALE, STARTED, UP, Ledger
from tests.processes import Child, penstock
from tests.waiting import until

ACQUIRES = int(os.environ.get("PENSTOCK_CRASH_ACQUIRES", "400"))
KILLS = int(os.environ.get("PENSTOCK_CRASH_ACQUIRES_KILLS", "2"))
WORKERS, SLOTS = 5, 10
LEASE_SECONDS, SWEEP_SECONDS = 3.0, 0.2
FREE_WITHIN_SECONDS = LEASE_SECONDS + SWEEP_SECONDS + 1
PAUSE_SECONDS = 15.0
IN_A_BODY_NS = 5_000_000
DEADLINE_SECONDS = 120 + ACQUIRES / 20
APP = "tests.crash.keys_app"


class Held(NamedTuple):
    """One execution, by the process and under the lease that held the key."""

    started_ns: int
    job_id: int
    lease: int
    pid: int
    ended_ns: int | None


class Contest:
    """Workers with ten slots each, one in the place of each that was killed."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path, url: str) -> None:
        self._stack = stack
        self._folder = folder
        (folder / "ledger").mkdir()
        self._environment = {"PENSTOCK_URL": url, "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS),
                             "PENSTOCK_POLL_SECONDS": str(SWEEP_SECONDS), "LEDGER": str(folder / "ledger")}
        self.ledger = Ledger(folder / "ledger")
        self.pids: list[int] = []
        self.running = [self._worker() for _ in range(WORKERS)]

    def _worker(self) -> Child:
        child: Child = self._stack.enter_context(penstock(
            "--app", APP, "worker", "--queue", f"default={SLOTS}", "--quiet", folder=self._folder, **self._environment))
        self.pids.append(child.process.pid)
        return child

    def up(self) -> bool:
        return all(self.ledger.says(child.process.pid, UP) for child in self.running)

    def started(self) -> int:
        """About how many jobs have run: each leaves two lines."""
        return self.ledger.size(self.pids) // 2

    def in_a_body(self) -> int | None:
        """The place of the worker that has been in a body for a while, if one has: it holds the key."""
        for place, child in enumerate(self.running):
            last = self.ledger.last(child.process.pid)
            if last and last.kind == STARTED and time.monotonic_ns() - last.at_ns > IN_A_BODY_NS:
                return place
        return None

    def stopped(self, victim: Child, how: signal.Signals, seconds: float) -> float:
        """Kill or pause the holder; in how many seconds somebody else had the key."""
        others = {pid: self.ledger.size([pid]) for pid in self.pids if pid != victim.process.pid}
        at_ns = time.monotonic_ns()
        victim.signal(how)

        def taken_over() -> list[int]:
            return [line.at_ns for pid, size in others.items() for line in self.ledger.lines(pid, size)
                    if line.kind == STARTED and line.at_ns > at_ns]

        return (min(until("somebody else has the key", taken_over, seconds)) - at_ns) / 1e9

    def kill(self, place: int) -> float:
        victim = self.running[place]
        seconds = self.stopped(victim, signal.SIGKILL, DEADLINE_SECONDS)
        victim.wait()
        self.running[place] = self._worker()
        return seconds

    def pause(self, place: int) -> None:
        """Stop the holder for so long that others take the key over, then let it go on."""
        victim = self.running[place]
        with contextlib.suppress(AssertionError):  # it may hold the one writer's lock: then nobody goes on before it
            self.stopped(victim, signal.SIGSTOP, PAUSE_SECONDS)
        victim.signal(signal.SIGCONT)

    def stop(self) -> None:
        for child in self.running:
            child.signal(signal.SIGTERM)
        for child in self.running:
            assert child.wait() == 0, child.rest()

    def executions(self) -> list[Held]:
        """All of them, in the order in which they began."""
        found: dict[tuple[int, int, int], list[int]] = {}
        for pid in self.pids:
            for line in self.ledger.lines(pid):
                if line.kind in (STARTED, ENDED):
                    found.setdefault((line.job_id, line.batch, pid), []).append(line.at_ns)
        return sorted(Held(times[0], job_id, lease, pid, times[1] if len(times) > 1 else None)
                      for (job_id, lease, pid), times in found.items())

    def refused(self) -> int:
        return sum(line.kind == STALE for pid in self.pids for line in self.ledger.lines(pid))


@pytest.mark.thorough
def test_one_key_is_held_by_one_at_a_time_whoever_is_killed_or_paused(
        store_url: str, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    random = Random(store_url.partition(":")[0])
    with Penstock(store_url) as app:
        hold = app.task(name="hold", serial="key")(lambda key, number: None)
        jobs = app.enqueue_many(hold.call("one", number) for number in range(ACQUIRES))
    free_seconds, pauses = [], 0
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        contest = Contest(stack, tmp_path, store_url)
        for kill in range(KILLS):
            until("all workers are up", contest.up)
            moment = round(ACQUIRES * (kill + random.uniform(0.3, 0.9)) / (KILLS + 1))
            until(f"{moment} jobs", lambda moment=moment: contest.started() >= moment, DEADLINE_SECONDS)
            place = until("somebody is in a body", lambda: (found := contest.in_a_body()) is not None and (found + 1))
            if kill % 2:
                contest.pause(place - 1)
                pauses += 1
            else:
                free_seconds.append(contest.kill(place - 1))
        until("nothing is live", lambda: not clock.fetch("select 1 from penstock.live_jobs limit 1"), DEADLINE_SECONDS)
        took = time.monotonic() - began
        until("all workers are up", contest.up)
        contest.stop()
    rows = dict(clock.fetch("select id, lease from penstock.finished_jobs where state = 'completed'"))  # type: ignore[arg-type]
    assert set(rows) == {job.id for job in jobs}, "nothing is lost"
    executions = contest.executions()
    accepted = [each for each in executions if rows[each.job_id] == each.lease]
    assert [each.job_id for each in accepted] == sorted(rows), "each once, in order"
    overlaps = sum(one.ended_ns is None or one.ended_ns > two.started_ns for one, two in pairwise(accepted))
    with capsys.disabled():
        print("\n" + json.dumps({
            "store": store_url.partition(":")[0], "contenders": WORKERS * SLOTS, "acquires": len(executions),
            "jobs": len(jobs), "kills": len(free_seconds), "pauses": pauses, "accepted_overlaps": overlaps,
            "refused_settles": contest.refused(), "free_after_a_kill_s": round(max(free_seconds), 2),
            "bound_s": FREE_WITHIN_SECONDS, "acquires_per_s": round(len(jobs) / took)}))
    assert overlaps == 0
    assert max(free_seconds) <= FREE_WITHIN_SECONDS
    assert not clock.fetch("select 1 from penstock.pending_jobs")
