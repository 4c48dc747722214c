"""`bench admission`: how long a dispatcher takes to admit what comes next, with a thousand waiting and with a million.

Half of what waits are runs of one sync with `max_concurrent=64`, in lines of accounts; half are jobs with a serial
key. There are a thousand lines in all. All that may be admitted is; then, again and again, one piece of work ends, by
turns a run and a job, after another like it was added, and the step of the dispatcher is timed that admits the next:
from its look whether there is anything to do to its commit. The two databases take turns, piece by piece, so that
whoever shares the machine disturbs both.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg

from bench.report import report
from bench.server import postgres, settle
from penstock import Penstock
from penstock.admission.dispatcher import Dispatcher
from penstock.app.declaring import SYNC_QUEUE
from penstock.domain.jobs import Claimed, Outcome
from penstock.queue.claim import claim
from penstock.queue.claim import settle as settle_jobs
from penstock.sync import Change, Done, Layer, Run, Subject, Sync
from penstock.sync.state.fence import Fence
from penstock.sync.state.runs import Settled, Settlement

LINES = 1000
MAX_CONCURRENT = 64
_BLOCK = 10_000
_WARM = 50


class Values(Layer[dict[str, Any]]):
    """What the runs would sync, if they did more than wait."""

    key = "id"

    def source(self, run: Run) -> Iterator[dict[str, Any]]:
        return iter(())

    def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
        return record

    def create(self, changes: list[Change], run: Run) -> list[Done]:
        return [Done(change.key) for change in changes]

    update = delete = create


class Waiting:
    """A database in which so much waits, the dispatcher of a worker, and what is under way."""

    def __init__(self, url: str, count: int) -> None:
        self.app = Penstock(url)

        @self.app.sync("values", max_concurrent=MAX_CONCURRENT)
        class ValuesSync(Sync[str]):
            layers = [Values]

            def subjects(self) -> Iterator[Subject]:
                return iter(())

        @self.app.task(name="keyed", serial="key")
        def keyed(key: int) -> None: ...

        self._keyed = keyed

        self.app.migrate()
        lines = min(LINES, count) // 2
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "insert into penstock.sync_runs (sync, subject, account, status, priority, reasons, requested_at,"
                " run_at) select 'values', 's' || n, 'a' || n %% %s, 'pending', 0, '[]',"
                " (extract(epoch from now()) * 1000)::bigint, 0 from generate_series(1, %s) as n", (lines, count // 2))
            connection.execute(
                "insert into penstock.line_news (line, freed, rank) select 'run:[\"values\",\"' || account || '\"]', 0,"
                " min(requested_at) from penstock.sync_runs group by account")
        for start in range(0, count // 2, _BLOCK):
            self.app.enqueue_many([keyed.call(number % lines)
                                   for number in range(start, min(start + _BLOCK, count // 2))])
        settle(url)
        self.store = self.app.store
        row = self.store.write(lambda tx: tx.row("worker_start", {"name": "bench", "lease_ms": 3_600_000}))
        assert row is not None
        self.worker_id = int(row[0])
        self.dispatcher: Dispatcher = self.app.dispatcher()
        self._again = {SYNC_QUEUE: self._another_run, "default": self._another_job}
        self._number = 0
        # One for all: the server process of one that has just been closed would keep a core busy meanwhile.
        self._caller = psycopg.connect(url)
        self.under_way: dict[str, list[Claimed]] = {SYNC_QUEUE: [], "default": []}
        self._begin()

    def close(self) -> None:
        self._caller.close()
        self.app.close()

    def _begin(self) -> None:
        """Admit and claim until nothing more may begin."""
        while self.dispatcher.step() == 0 or self._claimed():
            pass

    def _claimed(self) -> bool:
        found = False
        for queue, jobs in self.under_way.items():
            new = claim(self.store, self.worker_id, {queue: 1000})
            jobs += new
            found = found or bool(new)
        return found

    def admit_ms(self, queue: str) -> float:
        """Let one piece of work end; the milliseconds in which the next is admitted."""
        job = self.under_way[queue].pop(0)
        self._number += 1
        self._again[queue](job)
        if queue == SYNC_QUEUE:
            self._finish(job)
        settle_jobs(self.store, [Outcome(job.id, job.lease, "completed", keep_ms=60_000)])
        began = time.perf_counter()
        self.dispatcher.step()
        took = (time.perf_counter() - began) * 1000
        new = claim(self.store, self.worker_id, {queue: 10})
        assert len(new) == 1, f"one piece of work ended in {queue}, and {len(new)} were admitted"
        self.under_way[queue] += new
        return took

    def _another_run(self, job: Claimed) -> None:
        """A run of the account whose run is about to end."""
        with self._caller.transaction():
            self._caller.execute(
                "with made as (insert into penstock.sync_runs (sync, subject, account, status, priority, reasons,"
                " requested_at, run_at) select 'values', 'more' || %s, account, 'pending', 0, '[]',"
                " (extract(epoch from now()) * 1000)::bigint, 0 from penstock.sync_runs where job_id = %s"
                " returning account, requested_at) insert into penstock.line_news (line, freed, rank)"
                " select 'run:[\"values\",\"' || account || '\"]', 0, requested_at from made", (self._number, job.id))

    def _another_job(self, job: Claimed) -> None:
        """A job of the same key."""
        self.app.enqueue([self._keyed.call(msgspec.json.decode(job.arguments)["key"])])

    def _finish(self, job: Claimed) -> None:
        row = self.store.write(lambda tx: tx.row("run_start", {"job_id": job.id, "lease": job.lease}))
        assert row is not None
        settlement = Settlement(self.store, Fence(row[0], job.lease))
        self.store.write(lambda tx: settlement.write(tx, Settled("succeeded"), 0.001))


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    most, times = (50_000, 100) if quick else (1_000_000, 1000)
    with postgres() as server, contextlib.ExitStack() as stack:
        places = {}
        for name, count in (("1k", 1000), ("1m", most)):
            places[name] = Waiting(stack.enter_context(server.database()), count)
            stack.callback(places[name].close)
        took: dict[str, list[float]] = {name: [] for name in places}
        for number in range(_WARM + times):
            for name, place in places.items():
                ms = place.admit_ms(SYNC_QUEUE if number % 2 else "default")
                if number >= _WARM:
                    took[name].append(ms)
        figures = {f"admit_{what}_{name}_ms": round(sorted(each)[int(len(each) * share)], 2)
                   for name, each in took.items() for what, share in (("p50", 0.5), ("p99", 0.99))}
        figures = {"admit_p99_ms": figures["admit_p99_1m_ms"],
                   "p99_1m_vs_1k": round(figures["admit_p99_1m_ms"] / figures["admit_p99_1k_ms"], 2), **figures}
        scale = {"waiting": most, "lines": LINES, "max_concurrent": MAX_CONCURRENT, "pieces": times}
        report("admission", scale, figures, {"admit_p99_ms": ("<=", 5), "p99_1m_vs_1k": ("<=", 3)},
               **server.settings)
