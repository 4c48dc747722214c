"""Calls that are enqueued together and have to do with each other: chains, workflows and batches, as plain values.

All is checked here, before anything is written. Nothing is looked up: the ids of the jobs are not known yet, so what
waits for what is said by the places of the calls.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import After, Batch, Call, Job
from penstock.domain.names import did_you_mean
from penstock.domain.waits import BatchNews, Wait

OnFailure = Literal["cancel", "run"]
"""What becomes of a job where one that it waits for did not complete."""


class Together(NamedTuple):
    """What calls of one enqueue have to do with each other, beyond what they say by themselves.

    The first `members` of them are jobs of `batch`.
    """

    waits: Sequence[Wait] = ()
    news: Sequence[BatchNews] = ()
    batch: int | None = None
    members: int = 0


class Step:
    """One step of a workflow: a call, and the names of the steps that it runs `after`."""

    __slots__ = ("after", "anyway", "call")

    def __init__(self, call: Call, after: str | Iterable[str] = (), on_failure: OnFailure = "cancel") -> None:
        self.call = call
        self.after = (after,) if isinstance(after, str) else tuple(after)
        self.anyway = runs_anyway(on_failure)


class Launchable(Protocol):
    """A task, or a launch of one: what makes a call."""

    def call(self, batch_id: int, /) -> Call: ...


def runs_anyway(on_failure: OnFailure) -> bool:
    """Raises `InvalidArguments`."""
    if on_failure not in ("cancel", "run"):
        raise InvalidArguments(f"on_failure: expected 'cancel' or 'run', got {on_failure!r}")
    return on_failure == "run"


def after(given: object, on_failure: OnFailure) -> After | None:
    """What a launch is to run after. Raises `InvalidArguments`."""
    anyway = runs_anyway(on_failure)
    found: list[int | Call] = []
    for each in given if isinstance(given, Iterable) else [given]:
        if isinstance(each, Job | Batch):
            found.append(each.id)
        elif isinstance(each, Call) or (type(each) is int and 0 < each < 2**63):
            found.append(each)
        else:
            raise InvalidArguments(f"after: expected jobs, batches, their ids, or calls that are enqueued with it, got"
                                   f" {each!r}")
    return After(tuple(found), anyway) if found else None


def batch_id(given: object) -> int | None:
    """The id of a batch. Raises `InvalidArguments`."""
    if isinstance(given, Batch):
        return given.id
    if given is None or (type(given) is int and 0 < given < 2**63):
        return given
    raise InvalidArguments(f"batch: expected a Batch or its id, got {given!r}")


def waits(calls: Sequence[Call], together: Together | None) -> list[Wait]:
    """What the jobs of these calls wait for. Raises `InvalidArguments` for a call that is not among them, and where
    calls that are each other's doubles would wait for themselves."""
    found = list(together.waits) if together else []
    if any(call.after for call in calls):
        places: dict[int, list[int]] = {}
        for place, call in enumerate(calls, start=1):
            places.setdefault(id(call), []).append(place)
        for place, call in enumerate(calls, start=1):
            if call.after:
                found += _of(place, call, call.after, places)
    _refuse_doubles(calls, found)
    return found


def _of(place: int, call: Call, after: After, places: Mapping[int, list[int]]) -> Iterator[Wait]:
    for on in after.on:
        if isinstance(on, int):
            yield Wait(place, None, on, after.anyway)
        elif id(on) in places:
            yield from (Wait(place, other, None, after.anyway) for other in places[id(on)])
        else:
            raise InvalidArguments(
                f"task {call.shape['task']}: it is to run after a call of {on.shape['task']} that is not"
                " enqueued with it: give both to one enqueue_many, or enqueue the other first and give its job")


def _refuse_doubles(calls: Sequence[Call], found: Sequence[Wait]) -> None:
    """Calls cannot be changed, so no cycle can be written with them. But two with one unique key come to one job."""
    keys = [call.unique_key for call in calls if call.unique_key is not None]
    if len(set(keys)) == len(keys):
        return
    first: dict[str, int] = {}
    node = [place if call.unique_key is None else first.setdefault(call.unique_key, place)
            for place, call in enumerate(calls, start=1)]
    edges: dict[int, list[int]] = {}
    for wait in found:
        if wait.on_place is not None and node[wait.place - 1] != node[wait.on_place - 1]:
            edges.setdefault(node[wait.place - 1], []).append(node[wait.on_place - 1])
    if cycle := cycle_in(edges):
        names = " -> ".join(calls[place - 1].shape["task"] for place in cycle)
        raise InvalidArguments(f"expected jobs that can begin, got a cycle of {names}: calls among them have the same"
                               " unique key, so that they come to one job, which would wait for itself")


def cycle_in(edges: Mapping[Any, Sequence[Any]]) -> list[Any] | None:
    """A cycle in a graph, with its first node at the end again; None if there is none."""
    done: set[Any] = set()
    for root in edges:
        path, under_way, rests = [root], {root}, [iter(edges[root])]
        while path and root not in done:
            following = next((each for each in rests[-1] if each not in done), None)
            if following is None:
                done.add(ended := path.pop())
                under_way.discard(ended)
                rests.pop()
            elif following in under_way:
                return [*path[path.index(following):], following]
            else:
                path.append(following)
                under_way.add(following)
                rests.append(iter(edges.get(following, ())))
    return None


def in_order(calls: Sequence[Call], together: Together | None) -> list[int]:
    """The places of calls (from 0), each behind those that it waits for, and else as they stand."""
    before: dict[int, set[int]] = {}
    if together is not None or any(call.after for call in calls):
        for wait in waits(calls, together):
            if wait.on_place is not None and wait.on_place != wait.place:
                before.setdefault(wait.place - 1, set()).add(wait.on_place - 1)
    found: dict[int, None] = {}
    under_way: list[int] = []
    for place in range(len(calls)):
        under_way.append(place)
        while under_way:
            missing = [each for each in before.get(under_way[-1], ()) if each not in found]
            if missing:
                under_way += sorted(missing, reverse=True)
            else:
                found[under_way.pop()] = None
    return list(found)


def chained(calls: Iterable[Call], on_failure: OnFailure) -> tuple[list[Call], Together]:
    """Each call waits for the one before it."""
    anyway, listed = runs_anyway(on_failure), list(calls)
    return listed, Together([Wait(place, place - 1, None, anyway) for place in range(2, len(listed) + 1)])


def arranged(steps: Mapping[str, Call | Step]) -> tuple[list[Call], Together]:
    """Each step waits for those that it names. Raises `InvalidArguments` for a name that is none, and for a cycle."""
    wanted = {name: step if isinstance(step, Step) else Step(step) for name, step in steps.items()}
    faults = [f"step {name!r} is to run after {other!r}, which is no step{did_you_mean(other, wanted)}"
              for name, step in wanted.items() for other in step.after if other not in wanted]
    if faults:
        raise InvalidArguments("workflow: " + "; ".join(faults))
    if cycle := cycle_in({name: step.after for name, step in wanted.items()}):
        raise InvalidArguments(f"workflow: expected steps that can begin, got a cycle: {' -> '.join(cycle)}, where each"
                               " is to run after the next: take one of these out of its after=")
    place = {name: number for number, name in enumerate(wanted, start=1)}
    return [step.call for step in wanted.values()], Together([
        Wait(place[name], place[other], None, step.anyway)
        for name, step in wanted.items() for other in dict.fromkeys(step.after)])


def gathered(id: int, calls: Iterable[Call], then: Call | Launchable | None, *,
             open: bool) -> tuple[list[Call], Together]:
    """Calls that are the jobs of a batch, and last the one that waits for it."""
    members = list(calls)
    if any(call.shape["batch"] is not None for call in members):
        raise InvalidArguments("batch: expected calls that belong to no batch, got one that was made with batch=")
    together = Together(news=[BatchNews(id, "opened" if open else "closed")], batch=id, members=len(members))
    if then is None:
        return members, together
    last = then if isinstance(then, Call) else then.call(id)
    return [*members, last], together._replace(waits=[Wait(len(members) + 1, None, id, True)])
