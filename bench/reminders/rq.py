"""RQ's arms, inside its venv: `python -m bench.reminders.rq VERB URL …` prints one line of JSON.

`fill URL WAITING DUE KIND` schedules reminders and enqueues mails that are due. `measure URL ARM WORKERS SECONDS`
has workers serve for a while and says how many mails were handled and how much memory the workers took, all
processes together. A search that is under way when the clock stops counts by the share of the pages that it has read.
`threads URL WORKERS` is one process of many workers.
"""
# mypy: disable-error-code="import-not-found,misc"

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import Redis
from rq import Queue
from rq.registry import ScheduledJobRegistry
from rq.timeouts import TimerDeathPenalty
from rq.worker import SimpleWorker

from bench.reminders.mail import address
from bench.reminders.rq_jobs import BEGUN, ENDED, PAGE, PAGES, QUEUE, id_of, remind, remind_by_id
from bench.resident import Watch, tree
from bench.tally import say

DAYS = (1, 3, 7)
_KINDS = {"fetch": remind, "ids": remind_by_id}
_LOOK_SECONDS = 1.0  # between two looks at the memory: a look at many processes takes a while itself
_MOST_SECONDS = 120.0
_TIMEOUT = 3600  # of a job: a search takes longer than RQ's three minutes where many share few processors


def fill(url: str, waiting: int, due: int, kind: str) -> None:
    """Schedule `waiting` reminders, three for each offer, and enqueue the mails that are due now."""
    queue = Queue(QUEUE, connection=Redis.from_url(url))
    now = datetime.now(UTC)
    offers = waiting // len(DAYS)
    for first in range(0, offers, 1000):
        with queue.connection.pipeline() as pipeline:
            for offer in range(first, min(first + 1000, offers)):
                for days in DAYS:
                    queue.enqueue_at(now + timedelta(days=days), _KINDS[kind], offer, address(offer),
                                     job_id=id_of(offer, days), job_timeout=_TIMEOUT, pipeline=pipeline)
            pipeline.execute()
    queue.enqueue_many([Queue.prepare_data(_KINDS[kind], args=(offer, address(offer)), timeout=_TIMEOUT,
                                           job_id=id_of(offer, "now")) for offer in range(min(due, offers))])
    say(waiting=ScheduledJobRegistry(QUEUE, connection=queue.connection).get_job_count(), due=queue.count)


def measure(url: str, arm: str, workers: int, seconds: float) -> None:
    """Count from the moment when every worker is inside a job (a search is all that keeps it there)."""
    connection = Redis.from_url(url)
    connection.delete(BEGUN, PAGES, ENDED)
    waiting = ScheduledJobRegistry(QUEUE, connection=connection).get_job_count()
    with _serving(url, arm, workers) as process, Watch(process.pid, _LOOK_SECONDS) as seen:
        deadline = time.monotonic() + _MOST_SECONDS
        while int(connection.get(BEGUN) or 0) < workers:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{arm}: expected {workers} workers at work, got {connection.get(BEGUN)!r}")
            time.sleep(0.05)
        before, began = [int(each or 0) for each in connection.mget(PAGES, ENDED)], time.monotonic()
        time.sleep(seconds)
        after, took = [int(each or 0) for each in connection.mget(PAGES, ENDED)], time.monotonic() - began
        peak_mb = seen.peak_mb
    pages = -(-waiting // PAGE)
    say(workers=workers, handled=(after[0] - before[0]) / pages, ended=after[1] - before[1], seconds=took,
        peak_mb=peak_mb, waiting=waiting)


@contextlib.contextmanager
def _serving(url: str, arm: str, workers: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "bench.reminders.rq", "threads", url, str(workers)]
    if arm != "threads":
        command = [str(Path(sys.executable).parent / "rq"), "worker-pool", "--quiet", "--logging-level", "ERROR",
                   "--path", ".", "--url", url, "--num-workers", str(workers),
                   *(["--worker-class", "rq.worker.SimpleWorker"] if arm == "simple" else []), QUEUE]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            yield process
        finally:
            # A work horse is in a session of its own, and the pool would start anew what ends: so all go at once.
            os.kill(process.pid, signal.SIGSTOP)
            for each in tree(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)


class ThreadWorker(SimpleWorker):
    """RQ's own worker, able to run beside others in one process: signals are for the main thread only."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        pass


def threads(url: str, workers: int) -> None:
    """Serve on threads until this process is killed."""
    serving = [threading.Thread(target=_work, args=(url,)) for _ in range(workers)]
    for thread in serving:
        thread.start()


def _work(url: str) -> None:
    ThreadWorker([QUEUE], connection=Redis.from_url(url)).work(logging_level="ERROR")


def main() -> None:
    verb, url, *rest = sys.argv[1:]
    if verb == "fill":
        fill(url, int(rest[0]), int(rest[1]), rest[2])
    elif verb == "measure":
        measure(url, rest[0], int(rest[1]), float(rest[2]))
    elif verb == "threads":
        threads(url, int(rest[0]))
    else:
        raise SystemExit(f"{verb}: expected fill, measure or threads")


if __name__ == "__main__":
    main()
