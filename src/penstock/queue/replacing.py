"""Enqueueing where jobs that are met with their unique keys are replaced, or followed by a new one.

First all is enqueued as if jobs that are met were left as they are: that makes what meets nothing, and locks the keys
of the rest. Then a statement of its own looks at what was met, so that it begins after those locks: no claim can come
between what it sees and what it does. What changed all the same is enqueued once more.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from penstock.domain.errors import InvalidArguments, StoreError
from penstock.domain.jobs import Call, Job, Shape
from penstock.store.port import Row, Talk

_TRIES = 20

Leaving = Callable[[Sequence[Call]], Talk[list[Row]]]
"""Enqueues calls and leaves the jobs that are met as they are: a row for each, (id, whether it was met)."""


class _Wish(NamedTuple):
    """One job that is to come of calls with one key, of which the last wins; or of one call without a conflict."""

    call: Call
    places: list[int]


class _Became(NamedTuple):
    """The job that a wish came to: a `new` one, one `behind` a job that executes, one that was there and is `replaced`,
    or has `ended`, or is left as it is (`left`)."""

    id: int
    how: str


def replacing(calls: Sequence[Call], leaving: Leaving, kind: type[Job] = Job) -> Talk[list[Job]]:
    """Enqueue calls of which some replace what they meet; the jobs are in the order of the calls.

    Raises `InvalidArguments` for what a job that is met cannot become.
    """
    wishes = left = _wishes(calls)
    found: dict[int, _Became] = {}
    for _ in range(_TRIES):
        rows = yield from leaving([wish.call for wish in left])
        met: dict[str, tuple[_Wish, int]] = {}
        for wish, (id, skipped, *_) in zip(left, rows, strict=True):
            if skipped and wish.call.shape["conflict"]:
                met[str(wish.call.unique_key)] = wish, id
            else:
                found[wish.places[0]] = _Became(id, "left" if skipped else "new")
        if met:
            for key, id, how in (yield from _replace([*met.values()])):
                wish, _ = met.pop(key)
                found[wish.places[0]] = _Became(id, how)
        if not met:
            return _jobs(calls, wishes, found, kind)
        left = [wish for wish, _ in met.values()]
    raise StoreError(f"expected to find what {left[0].call.shape['task']} meets with its unique key at rest, got"
                     f" another answer {_TRIES} times: try again")


def _replace(met: Sequence[tuple[_Wish, int]]) -> Talk[list[Row]]:
    """Replace the jobs that were met; what is sealed is sealed for the job that is there, and for a new one."""
    ids: Sequence[int | None] = [None] * len(met)
    if any(wish.call.sealer for wish, _ in met):
        ids = [id for (id,) in (yield "job_numbers", {"count": len(met)})]
    wishes = [_asked(wish.call, was, id) for (wish, was), id in zip(met, ids, strict=True)]
    return (yield "enqueue_replace", {"wishes": msgspec.json.encode(wishes).decode()})


def _asked(call: Call, met: int, id: int | None) -> dict[str, Any]:
    shape, line, arguments, behind = call.shape, call.line, call.arguments, None
    if call.sealer is not None:
        assert id is not None
        behind = call.sealer.sealed(shape["task"], id, arguments)
        arguments = call.sealer.sealed(shape["task"], met, arguments)
    return {**shape, "key": call.unique_key, "met": met, "id": id, "arguments": arguments, "behind": behind,
            "line": line and line.key, "also": line and line.also, "terms": line and line.terms,
            "keep": shape["conflict"] == "keep_schedule"}


def _wishes(calls: Sequence[Call]) -> list[_Wish]:
    """What the calls come to, had they been made one after the other: of those with one key the last that replaces says
    what the job is to be, and the last that does not keep the schedule, or the first, when."""
    _check(calls)
    of_key: dict[str, list[int]] = {}
    replaced = {call.unique_key for call in calls if call.shape["conflict"]}
    wishes = []
    for place, call in enumerate(calls):
        if call.unique_key is None or call.unique_key not in replaced:
            wishes.append(_Wish(call, [place]))
        else:
            of_key.setdefault(call.unique_key, []).append(place)
    shapes: dict[tuple[int, int], Shape] = {}
    for places in of_key.values():
        wishes.append(_Wish(_one([calls[place] for place in places], shapes), places))
    return sorted(wishes, key=lambda wish: wish.places[0])


def _one(calls: Sequence[Call], shapes: dict[tuple[int, int], Shape]) -> Call:
    """Calls with one key as one; `shapes` are those that were put together already."""
    if len(calls) == 1:
        return calls[0]
    last = next(call for call in reversed(calls) if call.shape["conflict"])
    newly = [call for call in calls if call.shape["conflict"] == "replace"]
    timed = newly[-1] if newly else calls[0]
    if timed.shape is last.shape:
        return last
    both = id(last.shape), id(timed.shape)
    if both not in shapes:
        shapes[both] = Shape(**{**last.shape, "run_at": timed.shape["run_at"], "delay_ms": timed.shape["delay_ms"],
                                "conflict": "replace" if newly else "keep_schedule"})
    return msgspec.structs.replace(last, shape=shapes[both])


def _check(calls: Sequence[Call]) -> None:
    replacing = {id(call) for call in calls if call.shape["conflict"]}
    for call in calls:
        task = call.shape["task"]
        if call.after is None:
            continue
        if call.shape["conflict"]:
            raise InvalidArguments(f"task {task}: after= cannot be used with conflict={call.shape['conflict']!r}, since"
                                   " a job that is there already waits for nothing more: use conflict=\"skip\"")
        if any(id(on) in replacing for on in call.after.on):
            raise InvalidArguments(f"task {task}: it is to run after a call that may replace a job: enqueue that one"
                                   " first, and give the job that comes of it")


def _jobs(calls: Sequence[Call], wishes: Sequence[_Wish], found: dict[int, _Became], kind: type[Job]) -> list[Job]:
    """The jobs in the order of their calls: the first of one key made it, unless it was there; the others met it."""
    jobs: dict[int, Job] = {}
    for wish in wishes:
        id, how = found[wish.places[0]]
        task, queue = wish.call.shape["task"], wish.call.shape["queue"]
        first = how in ("new", "behind")
        for place in wish.places:
            replaces = calls[place].shape["conflict"] is not None and how not in ("left", "ended")
            new = first and (how == "new" or replaces)
            first = first and not new
            jobs[place] = kind(id, task, queue, skipped=not new and not replaces, replaced=not new and replaces)
    return [jobs[place] for place in range(len(calls))]
