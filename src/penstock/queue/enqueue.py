"""Enqueueing: one pure statement, run by the store or on the caller's own connection."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from penstock.domain.jobs import Call, Job
from penstock.store.adapters import ainsert, insert
from penstock.store.port import Row, Store


def enqueue(store: Store, calls: Iterable[Call], connection: Any = None) -> list[Job]:
    """Enqueue in one statement. With `connection`, inside its transaction: it locks only the unique keys that the
    calls carry, and notifies nobody."""
    wanted = list(calls)
    return jobs(wanted, carried_out(store, *plan(wanted), connection)) if wanted else []


def carried_out(store: Store, name: str, params: dict[str, Any], connection: Any = None, *,
                wake: bool = True) -> list[Row]:
    """Run a statement in a transaction of its own and wake the workers, or on a caller's connection and wake nobody."""
    if connection is not None:
        return insert(store, name, params, connection)
    told = "tell" in params and store.tells()
    if told:
        params["tell"] = True
    rows = store.run(name, params)
    if wake:
        store.wake(told=told)
    return rows


async def acarried_out(store: Store, name: str, params: dict[str, Any], connection: Any = None) -> list[Row]:
    """The same without blocking the event loop."""
    return await ainsert(store, name, params, connection)


async def aenqueue(store: Store, calls: Iterable[Call], connection: Any = None) -> list[Job]:
    """The same without blocking the event loop."""
    wanted = list(calls)
    return jobs(wanted, await ainsert(store, *plan(wanted), connection)) if wanted else []


def plan(calls: Sequence[Call]) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of the statement that enqueues these calls.

    What calls have in common travels once: a shape, and for each job the number of its shape.
    """
    if len(calls) == 1 and calls[0].unique_key is None and calls[0].line is None:
        shape = calls[0].shape
        return "enqueue_one", {
            "task": shape["task"], "queue": shape["queue"], "priority": shape["priority"], "run_at": shape["run_at"],
            "delay_ms": shape["delay_ms"], "arguments": calls[0].arguments, "max_attempts": shape["max_attempts"],
            "tags": shape["tags"], "deadline_at": shape["deadline_at"], "deadline_ms": shape["deadline_ms"],
            "tell": False,
        }
    of_call = [call.shape for call in calls]
    shapes = {id(shape): shape for shape in of_call}
    place = {number: position for position, number in enumerate(shapes, start=1)}
    params: dict[str, Any] = {
        "shapes": msgspec.json.encode(list(shapes.values())).decode(),
        "shape": [place[id(shape)] for shape in of_call] if len(shapes) > 1 else [1] * len(calls),
        "arguments": [call.arguments for call in calls],
    }
    if any(shape["keyed"] for shape in shapes.values()):
        return "enqueue_keyed", {**params, "keys": [call.unique_key for call in calls], **_lines(calls)}
    if all(shape["keeps"] is None for shape in shapes.values()):
        return "enqueue", params
    return "enqueue_unique", {**params, "keys": [call.unique_key for call in calls]}


def _lines(calls: Sequence[Call]) -> dict[str, list[str | None]]:
    """In which line each job is to wait."""
    lines = [call.line for call in calls]
    return {"lines": [line.key if line else None for line in lines],
            "alsos": [line.also if line else None for line in lines],
            "terms": [line.terms if line else None for line in lines]}


def jobs(calls: Sequence[Call], rows: Sequence[Row]) -> list[Job]:
    """The jobs in the order of their calls, from the rows that the statement gave.

    `enqueue` gives ids in no order, but numbers them in that of the calls; `enqueue_unique` and
    `enqueue_keyed` give (id, skipped) in it.
    """
    if not rows or len(rows[0]) == 1:
        return [Job(id, call.shape["task"], call.shape["queue"])
                for (id,), call in zip(sorted(rows), calls, strict=True)]
    return [Job(id, call.shape["task"], call.shape["queue"], bool(skipped))
            for (id, skipped), call in zip(rows, calls, strict=True)]
