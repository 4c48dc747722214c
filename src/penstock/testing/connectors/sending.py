"""A destination as the engine calls it, with the kit's boundaries around each verb, and a log of what was called."""

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from penstock.domain.records import Change, Done
from penstock.sync.declaring.declare import Layer
from penstock.testing.connectors.faults import Faults, broken

WRITES = ("create", "update", "delete", "disable")
VERBS = (*WRITES, "find", "read")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """One call of a verb that writes."""

    layer: str
    verb: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.keys) - _SHOWN} more" if len(self.keys) > _SHOWN else ""
        return f"{self.verb} of {self.layer} with {', '.join(map(repr, self.keys[:_SHOWN]))}{more}"


@dataclass
class Log:
    """What was called, and the remote ids that creates have told, by layer and key."""

    sent: list[Sent] = field(default_factory=list)
    created: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, layer: str, verb: str, given: Any) -> None:
        if verb in WRITES:
            changes: Sequence[Change] = [given] if isinstance(given, Change) else given
            self.sent.append(Sent(layer, verb, tuple(change.key for change in changes)))

    def answered(self, layer: str, verb: str, given: Any, answer: Any) -> None:
        if verb != "create":
            return
        if isinstance(given, Change):
            given, answer = [given], [answer]
        keys = [change.key for change in given]
        for key, outcome in answer.items() if isinstance(answer, Mapping) else zip(keys, answer or (), strict=False):
            if isinstance(outcome, Done) and outcome.remote_id is not None:
                self.created[layer, key] = outcome.remote_id


class Verb:
    """Calls verbs of one layer between two boundaries. A fault that strikes becomes the error of the call."""

    def __init__(self, layer: str, faults: Faults, log: Log) -> None:
        self._layer = layer
        self._faults = faults
        self._log = log

    def around(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        """The verb of this name, as the engine is to see it: sync, async or a generator, as it was."""
        def call(*arguments: Any, **named: Any) -> Any:
            given = arguments[0] if arguments else next(iter(named.values()), ())
            self._log.note(self._layer, name, given)
            self._reach("before", name)
            answer = verb(*arguments, **named)
            if inspect.isawaitable(answer):
                return self._awaited(name, given, answer)
            if isinstance(answer, Generator):
                return self._iterated(name, answer)
            return self._answered(name, given, answer)

        return call

    async def _awaited(self, name: str, given: Any, answer: Any) -> Any:
        return self._answered(name, given, await answer)

    def _iterated(self, name: str, answer: Generator[Any, None, Any]) -> Generator[Any, None, Any]:
        value = yield from answer
        self._reach("after", name)
        return value

    def _answered(self, name: str, given: Any, answer: Any) -> Any:
        self._reach("after", name)
        if isinstance(answer, Iterator):
            answer = list(answer)
        self._log.answered(self._layer, name, given, answer)
        return answer

    def _reach(self, side: Any, name: str) -> None:
        what = f"{name} of {self._layer}"
        struck = self._faults.reach("verb", side, what)
        if struck is not None and (error := broken(struck, what)) is not None:
            raise error


class SendThrough:
    """Stands in the place of a layer's destination, and has all that it has."""

    def __init__(self, given: Any, verb: Verb) -> None:
        self._given = given
        self._verb = verb

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._given, name)
        return self._verb.around(name, found) if name in VERBS and callable(found) else found

    def __repr__(self) -> str:
        return repr(self._given)


def own_verbs(layer: type[Layer[Any]], verb: Verb) -> dict[str, Any]:
    """The verbs that a layer has as methods, with the boundaries around them."""
    return {name: _method(kind, getattr(layer, name), verb)
            for kind in VERBS for name in (kind, f"{kind}_one") if callable(getattr(layer, name, None))}


def _method(kind: str, own: Callable[..., Any], verb: Verb) -> Any:
    def method(self: Layer[Any], *arguments: Any, **named: Any) -> Any:
        return verb.around(kind, partial(own, self))(*arguments, **named)

    return method
