"""Enqueueing: one pure statement, run by the store or on the caller's own connection."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import Call, Job, Shape
from penstock.queue.replacing import replacing
from penstock.queue.together import Together, waits
from penstock.store.adapters import ainsert, ainsert_talk, insert, insert_talk
from penstock.store.port import Row, Store, Talk, Transaction, talked

NUMBERS = "job_numbers"
REPLACE = "enqueue_replace"


def enqueue(store: Store, calls: Iterable[Call], connection: Any = None, kind: type[Job] = Job,
            together: Together | None = None) -> list[Job]:
    """Enqueue in one statement. With `connection`, inside its transaction: it locks only the unique keys that the
    calls carry, and notifies nobody."""
    wanted = list(calls)
    if not wanted and together is None:
        return []
    name, params = plan(wanted, together=together)
    if name == REPLACE or (name == NUMBERS and connection is not None):
        return insert_talk(store, lambda: enqueueing(wanted, kind, together), connection)
    if name == NUMBERS:
        rows = store.numbered(len(wanted), lambda ids: plan(wanted, ids, together))
        store.wake()
        return jobs(wanted, rows, kind)
    return jobs(wanted, carried_out(store, name, params, connection), kind)


def enqueue_in(tx: Transaction, calls: Sequence[Call]) -> None:
    """Enqueue within a transaction on the store that is open. Whoever commits it wakes the workers."""
    talked(tx, enqueueing(calls))


def enqueueing(calls: Sequence[Call], kind: type[Job] = Job, together: Together | None = None) -> Talk[list[Job]]:
    """What is asked of the database to enqueue these calls, step by step."""
    name, params = plan(calls, together=together)
    if name == REPLACE:
        return (yield from replacing(calls, _leaving, kind))
    if name == NUMBERS:
        name, params = plan(calls, [id for (id,) in (yield name, params)], together)
    return jobs(calls, (yield name, params), kind)


def _leaving(calls: Sequence[Call]) -> Talk[list[Row]]:
    """The same where the jobs that are met stay as they are: rows of (id, whether it was met)."""
    name, params = plan(calls, leave=True)
    if name == NUMBERS:
        name, params = plan(calls, [id for (id,) in (yield name, params)], leave=True)
    return (yield name, params)


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


async def aenqueue(store: Store, calls: Iterable[Call], connection: Any = None, kind: type[Job] = Job,
                   together: Together | None = None) -> list[Job]:
    """The same without blocking the event loop."""
    wanted = list(calls)
    if not wanted and together is None:
        return []
    name, params = plan(wanted, together=together)
    if name in (NUMBERS, REPLACE):
        return await ainsert_talk(store, lambda: enqueueing(wanted, kind, together), connection)
    return jobs(wanted, await ainsert(store, name, params, connection), kind)


def plan(calls: Sequence[Call], ids: list[int] | None = None,
         together: Together | None = None, *, leave: bool = False) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of the statement that enqueues these calls.

    What calls have in common travels once: a shape, and for each job the number of its shape. Where the numbers of
    the jobs have to be known before, `NUMBERS` draws them, and it is asked again with those `ids`. Where jobs that
    are met are to be replaced it takes more than one: `REPLACE`, unless they are left as they are this time (`leave`).
    """
    if len(calls) == 1 and together is None and _is_plain(calls[0]):
        shape = calls[0].shape
        return "enqueue_one", {
            "task": shape["task"], "queue": shape["queue"], "priority": shape["priority"], "run_at": shape["run_at"],
            "delay_ms": shape["delay_ms"], "arguments": calls[0].arguments, "max_attempts": shape["max_attempts"],
            "tags": shape["tags"], "deadline_at": shape["deadline_at"], "deadline_ms": shape["deadline_ms"],
            "tell": False,
        }
    of_call = _shapes(calls, together)
    shapes = {id(shape): shape for shape in of_call}
    if not leave and any(shape["conflict"] for shape in shapes.values()):
        if together is not None:
            raise InvalidArguments("expected calls that skip what they meet with their unique keys, got one that"
                                   " replaces it: enqueue that one first, and let others run after its job")
        return REPLACE, {}
    if ids is None and any(shape["sealed"] for shape in shapes.values()):
        return NUMBERS, {"count": len(calls)}
    place = {number: position for position, number in enumerate(shapes, start=1)}
    params: dict[str, Any] = {
        "shapes": msgspec.json.encode(list(shapes.values())).decode(),
        "shape": [place[id(shape)] for shape in of_call] if len(shapes) > 1 else [1] * len(calls),
        "arguments": [call.arguments for call in calls] if ids is None else _sealed(calls, ids),
    }
    held = together is not None or any(shape["held"] for shape in shapes.values())
    if ids is not None or held or any(shape["keyed"] or shape["batch"] for shape in shapes.values()):
        return "enqueue_keyed", {**params, "keys": [call.unique_key for call in calls], **_lines(calls), "ids": ids,
                                 "waits": msgspec.json.encode(waits(calls, together) if held else []).decode(),
                                 "batches": msgspec.json.encode(together.news if together else []).decode()}
    if all(shape["keeps"] is None for shape in shapes.values()):
        return "enqueue", params
    return "enqueue_unique", {**params, "keys": [call.unique_key for call in calls]}


def _is_plain(call: Call) -> bool:
    return (call.unique_key is None and call.line is None and call.sealer is None and call.after is None
            and call.shape["batch"] is None)


def _shapes(calls: Sequence[Call], together: Together | None) -> list[Shape]:
    """The shape of each call; those of members with their batch."""
    if together is None or together.batch is None:
        return [call.shape for call in calls]
    joined: dict[int, Shape] = {}
    for call in calls[:together.members]:
        if id(call.shape) not in joined:
            joined[id(call.shape)] = {**call.shape, "batch": together.batch}
    return [*(joined[id(call.shape)] for call in calls[:together.members]),
            *(call.shape for call in calls[together.members:])]


def _sealed(calls: Sequence[Call], ids: Sequence[int]) -> list[str]:
    """The arguments of each job, sealed for the number that it gets where they are to be."""
    return [call.arguments if call.sealer is None else call.sealer.sealed(call.shape["task"], id, call.arguments)
            for call, id in zip(calls, ids, strict=True)]


def _lines(calls: Sequence[Call]) -> dict[str, list[str | None]]:
    """In which line each job is to wait."""
    lines = [call.line for call in calls]
    return {"lines": [line.key if line else None for line in lines],
            "alsos": [line.also if line else None for line in lines],
            "terms": [line.terms if line else None for line in lines]}


def jobs(calls: Sequence[Call], rows: Sequence[Row], kind: type[Job] = Job) -> list[Job]:
    """The jobs in the order of their calls, from the rows that the statement gave.

    `enqueue` gives ids in no order, but numbers them in that of the calls; `enqueue_unique` and
    `enqueue_keyed` give (id, skipped) in it.
    """
    if not rows or len(rows[0]) == 1:
        return [kind(id, call.shape["task"], call.shape["queue"])
                for (id,), call in zip(sorted(rows), calls, strict=True)]
    return [kind(id, call.shape["task"], call.shape["queue"], bool(skipped))
            for (id, skipped), call in zip(rows, calls, strict=True)]
