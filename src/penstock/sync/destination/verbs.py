"""Calling a destination's verbs: one place where their results, counts and exceptions are understood."""

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.domain.errors import DestinationError
from penstock.domain.records import Calls, Change, Done, Outcome, Rejected
from penstock.observe.nesting import phase
from penstock.observe.trace import CALLED, Trace, active
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run


class Verbs:
    """The verbs of the layers of one run. Verbs that are `async def` run on an event loop that the run keeps."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._runner: asyncio.Runner | None = None
        self._told = Calls()

    def new_calls(self) -> Calls:
        """The calls made since this was last asked: what is yet to be added to the run's row."""
        calls, told = self._run.calls, self._told
        new = Calls(calls.read - told.read, calls.write - told.write)
        self._told = Calls(calls.read, calls.write)
        return new

    def call(self, layer: LayerDefinition, name: str, changes: Sequence[Change]) -> list[Outcome | None]:
        """One outcome per change; None where the destination gave none. Raises what the verb raises.

        A verb may give them in the order of the changes, or in a mapping from their keys. Raises `DestinationError`
        for what cannot be told to be the outcomes of these changes: they stay in doubt.
        """
        verb = layer.verb(name)
        assert verb is not None, f"{layer.name} was declared without {name}"
        before = self._run.calls.write
        try:
            with self._run.time.step(f"{layer.name}.{name}", lambda: self._run.calls.write), phase(CALLED):
                answer = self.finish(verb(changes, self._run))
        finally:
            if self._run.calls.write == before and not counts_itself(layer):
                self._run.calls.write += 1
        return _outcomes(f"{layer.name}.{name}", answer, changes)

    def check(self, layer: LayerDefinition, name: str) -> None:
        """Raise what `run.check` raises, and `OutOfTime` where such a call is not likely to end within the window."""
        self._run.check()
        self._run.time.begin(f"{layer.name}.{name}")

    def find(self, layer: LayerDefinition, values: Sequence[str]) -> dict[str, list[str]]:
        """The remote ids that the destination has for values of the layer's `match`, else for its keys."""
        verb = layer.verb("find")
        assert verb is not None
        before = self._run.calls.read
        self.check(layer, "find")
        with (self._run.permits.call(0), self._run.time.step(f"{layer.name}.find", lambda: self._run.calls.read),
              phase(CALLED)):
            found: Mapping[str, Any] = self.finish(verb(list(values), self._run)) or {}
        if self._run.calls.read == before and not counts_itself(layer):
            self._run.calls.read += 1
        return {value: [ids] if isinstance(ids, str) else [str(id) for id in ids] if isinstance(ids, list | tuple)
                else [str(ids)] for value, ids in found.items() if ids is not None}

    def fetch(self, layer: LayerDefinition, remote_ids: Sequence[str]) -> dict[str, Any]:
        """What the destination holds under remote ids, without those that it has no more."""
        verb = layer.verb("fetch")
        assert verb is not None
        before = self._run.calls.read
        self.check(layer, "fetch")
        with (self._run.permits.call(0), self._run.time.step(f"{layer.name}.fetch", lambda: self._run.calls.read),
              phase(CALLED)):
            held = self.finish(verb(list(remote_ids), self._run)) or {}
        if self._run.calls.read == before and not counts_itself(layer):
            self._run.calls.read += 1
        if not isinstance(held, Mapping):
            raise DestinationError(f"{layer.name}.fetch: expected a mapping from remote ids to what is held there, got"
                                   f" {type(held).__name__}")
        return {str(remote_id): payload for remote_id, payload in held.items() if payload is not None}

    def finish(self, answer: Any) -> Any:
        """What a verb gave; of one that is `async def`, once it has given it."""
        if not inspect.isawaitable(answer):
            return answer
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(_awaited(answer, active.get()))

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()


def _outcomes(verb: str, answer: Any, changes: Sequence[Change]) -> list[Outcome | None]:
    """What a verb gave, one outcome per change. Raises `DestinationError` where that cannot be."""
    if isinstance(answer, Mapping):
        if strange := answer.keys() - {change.key for change in changes}:
            raise DestinationError(f"{verb}: expected outcomes by the keys of the changes that it was given, got"
                                   f" {sorted(map(repr, strange))[0]} among them")
        answer = [answer.get(change.key) for change in changes]
    outcomes: list[Outcome | None] = list(answer or ())
    if len(outcomes) > len(changes):
        raise DestinationError(f"{verb}: expected at most {len(changes)} outcomes, one for each change in order, got"
                               f" {len(outcomes)}")
    for outcome in outcomes:
        if outcome is not None and not isinstance(outcome, Done | Rejected):
            raise DestinationError(f"{verb}: expected Done, Rejected or None for each change, got {outcome!r:.100}")
    if _out_of_order(outcomes, changes):
        raise DestinationError(f"{verb}: expected outcomes in the order of the changes, got remote ids of the same"
                               " changes in another order; give a mapping from key to outcome instead")
    return outcomes + [None] * (len(changes) - len(outcomes))


def _out_of_order(outcomes: Sequence[Outcome | None], changes: Sequence[Change]) -> bool:
    """Whether the ids that came back for known records are those of the changes, but not each in its place."""
    pairs = [(outcome.remote_id, change.remote_id) for outcome, change in zip(outcomes, changes, strict=False)
             if isinstance(outcome, Done) and outcome.remote_id and change.remote_id]
    given, known = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return given != known and sorted(given) == sorted(known)


def counts_itself(layer: LayerDefinition) -> bool:
    """Whether the layer's destination counts its own requests; where it does not, a verb counts as one."""
    return getattr(layer.layer.destination, "counts_calls", False) is True


async def _awaited(answer: Any, trace: Trace | None) -> Any:
    active.set(trace)  # the runner's context is that of its first call, and goes on from call to call
    return await answer
