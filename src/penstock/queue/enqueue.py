"""Enqueueing: one pure statement, run by the store or on the caller's own connection."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from penstock.domain.jobs import Call, Job
from penstock.queue.adapters import aexecute, execute
from penstock.store.port import Row, Store, Transaction

_SELF_CHECK_SECONDS = 0.05


def params(calls: Sequence[Call]) -> dict[str, Any]:
    """The parameters of the statement `enqueue`."""
    return {"jobs": msgspec.json.encode(calls).decode()}


def jobs(calls: Sequence[Call], rows: Iterable[Row]) -> list[Job]:
    """The jobs in the order of their calls: RETURNING has no order, but ids are given in that of the input."""
    ids = sorted(row[0] for row in rows)
    return [Job(id, call["task"], call["queue"]) for id, call in zip(ids, calls, strict=True)]


def enqueue(store: Store, calls: Iterable[Call], connection: Any = None) -> list[Job]:
    """Enqueue in one statement. With `connection`, inside its transaction: it locks nothing and notifies nobody."""
    wanted = list(calls)
    if not wanted:
        return []
    if connection is not None:
        return jobs(wanted, execute(store, connection, store.compile("enqueue"), params(wanted)))
    rows = store.write(lambda tx: tx.rows("enqueue", params(wanted)))
    store.wake()
    return jobs(wanted, rows)


async def aenqueue(store: Store, calls: Iterable[Call], connection: Any = None) -> list[Job]:
    """The same without blocking the event loop."""
    wanted = list(calls)
    if not wanted:
        return []
    if connection is not None:
        return jobs(wanted, await aexecute(store, connection, store.compile("enqueue"), params(wanted)))

    def work(tx: Transaction) -> list[Row]:
        return tx.rows("enqueue", params(wanted))

    loop = asyncio.get_running_loop()
    future: Future[list[Row]] = await loop.run_in_executor(None, store.submit, work)
    waiting = asyncio.wrap_future(future)
    while not (await asyncio.wait({waiting}, timeout=_SELF_CHECK_SECONDS))[0]:
        store.refuse_self_lock(future)  # in this thread, since it is the one that may hold the lock
    rows = await waiting
    await loop.run_in_executor(None, store.wake)
    return jobs(wanted, rows)
