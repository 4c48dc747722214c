"""Enqueueing: one pure statement, run by the store or on the caller's own connection."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from penstock.domain.jobs import Call, Job
from penstock.store.adapters import ainsert, insert
from penstock.store.port import Row, Store


def enqueue(store: Store, calls: Iterable[Call], connection: Any = None) -> list[Job]:
    """Enqueue in one statement. With `connection`, inside its transaction: it locks nothing and notifies nobody."""
    wanted = list(calls)
    return _jobs(wanted, insert(store, "enqueue", params(wanted), connection)) if wanted else []


async def aenqueue(store: Store, calls: Iterable[Call], connection: Any = None) -> list[Job]:
    """The same without blocking the event loop."""
    wanted = list(calls)
    return _jobs(wanted, await ainsert(store, "enqueue", params(wanted), connection)) if wanted else []


def params(calls: Sequence[Call]) -> dict[str, Any]:
    """The parameters of the statement `enqueue`."""
    return {"jobs": msgspec.json.encode(calls).decode()}


def _jobs(calls: Sequence[Call], rows: Iterable[Row]) -> list[Job]:
    """The jobs in the order of their calls: RETURNING has no order, but ids are given in that of the input."""
    ids = sorted(row[0] for row in rows)
    return [Job(id, call["task"], call["queue"]) for id, call in zip(ids, calls, strict=True)]
