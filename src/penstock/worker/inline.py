"""What serving in the caller's own thread needs: a worker's row for a while, and one attempt from claim to outcome."""

import asyncio
import contextvars
import os
import socket
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec

from penstock.domain.jobs import Outcome
from penstock.events import JobCompleted, StaleSettle
from penstock.events.telling import Events
from penstock.queue.attempt import Attempt
from penstock.queue.claim import settle
from penstock.store.port import Store, Transaction
from penstock.worker.executor import Executor
from penstock.worker.memory import resident_bytes
from penstock.worker.settling import tell_completed

T = TypeVar("T")


def registered(tx: Transaction, name: str, lease_ms: int, queues: Collection[str]) -> int:
    """The id of a new worker that serves these queues, with how many slots each where it has slots of its own."""
    row = tx.row("worker_start", {"name": name, "lease_ms": lease_ms})
    assert row is not None
    slots = msgspec.json.encode(dict(queues)).decode() if isinstance(queues, Mapping) else None
    tx.execute("worker_serves", {
        "worker_id": row[0], "queues": msgspec.json.encode(sorted(queues)).decode(), "slots": slots,
        "host": socket.gethostname(), "pid": os.getpid(), "rss_bytes": resident_bytes(),
    })
    return int(row[0])


class Registration:
    """A worker's row that lasts no longer than it is needed."""

    def __init__(self, store: Store, name: str, queues: Collection[str] = ()) -> None:
        self._store = store
        self._name = name
        self._queues = queues
        self.worker_id = 0

    def renew(self, lease_ms: int) -> bool:
        """Be a worker for so long from now, as another one where others have taken its row away.

        False where that is so: what was claimed before is somebody else's by now.
        """
        def work(tx: Transaction) -> int:
            if tx.execute("worker_renew", {"worker_id": self.worker_id, "lease_ms": lease_ms}):
                return self.worker_id
            return registered(tx, self._name, lease_ms, self._queues)

        before, self.worker_id = self.worker_id, self._store.write(work)
        return before in (0, self.worker_id)

    def end(self) -> None:
        self._store.write(lambda tx: tx.execute("worker_stop", {"worker_id": self.worker_id}))


class PrivateLoop:
    """An event loop for `async` tasks, begun when first needed. It works beneath a running loop too: then on a thread
    that lasts no longer than the call, while the caller waits."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        context = contextvars.copy_context()
        return _apart(lambda: self._runner.run(coroutine, context=context))

    def close(self) -> None:
        _apart(self._runner.close)

    def __enter__(self) -> "PrivateLoop":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _apart(call: Callable[[], T]) -> T:
    """Call something that no running loop may be around."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call()
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=work, name="penstock-apart")
    thread.start()
    thread.join()
    return future.result()


def outcome_of(attempt: Attempt, executor: Executor, loop: PrivateLoop) -> Outcome:
    """Run an attempt to its end, in this thread."""
    if attempt.job.stale is not None:
        return executor.stale(attempt)
    if executor.is_async(attempt.job.task):
        return loop.run(executor.arun(attempt))
    return executor.run(attempt)


def settle_here(store: Store, events: Events, attempt: Attempt, outcome: Outcome) -> None:
    """Settle an attempt that was run here, the last one under its leases."""
    outcomes = outcome.parts or [outcome]
    leases = {job.id: job.lease for job in attempt.claimed}
    stale = settle(store, [each for each in outcomes if not each.written], [*leases.values()])
    if JobCompleted in events.heard:
        tell_completed(events, [(attempt, outcome)], stale)
    for id in stale:
        events.emit(StaleSettle(job_id=id, lease=leases[id]))
