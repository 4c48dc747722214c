"""Which keys a task's jobs have: by `serial` they run one at a time, in order; by `concurrency` so many at once.

The keys are made where a job is enqueued, from its arguments (a default stands for one that was not given), so a store
needs no task to know in which line a job waits. Jobs of a task that has only limits wait in a line of those, from which
they are handed out about as fast as the slowest of its rates allows.
"""

from collections.abc import Sequence
from typing import Any

from penstock.domain.chunks import Chunk
from penstock.domain.errors import DeclarationError
from penstock.domain.limits import Concurrency, Limit, Rate, key_of
from penstock.domain.lines import Line, Terms, concurrency_key, limit_line, serial_key
from penstock.domain.names import did_you_mean
from penstock.queue.arguments.signature import Signature

Serial = str | tuple[str, ...] | None


class Keyed:
    """The keys of one task's jobs. Raises `DeclarationError` with every fault of their declaration."""

    def __init__(self, signature: Signature, serial: Serial, concurrency: Concurrency | None,
                 limits: Sequence[Limit] = (), chunk: Chunk | None = None) -> None:
        faults = _faults("serial", serial, signature) if serial is not None else []
        given: object = concurrency
        if isinstance(given, Concurrency):
            faults += _by_faults(given, signature)
        elif given is not None:
            faults.append(f'concurrency: expected Concurrency(4, by="a parameter"), got {given!r}')
        if chunk is not None:
            faults += [f"limits: expected no by= that names a parameter, since a call with many jobs spends one permit,"
                       f" got {limit!r}" for limit in limits if set(_names(limit.by)) & set(signature.names)]
        if faults:
            raise DeclarationError([f"task {signature.name}: {fault}" for fault in faults])
        self._signature = signature
        self._serial = _names(serial)
        self._concurrency = _names(concurrency.by) if concurrency else ()
        self._limits = tuple(limits)
        self._limited_by = tuple(dict.fromkeys(name for limit in limits for name in _names(limit.by)
                                               if name in signature.names))
        pace_us = max((limit.pace_us for limit in limits if isinstance(limit, Rate)), default=None)
        if chunk is not None and pace_us is not None:
            pace_us = max(pace_us // chunk.size, 1)  # a permit is spent by so many jobs together
        self._terms = Terms(
            most=1 if self._serial else concurrency.count if concurrency else None,
            also=concurrency.count if concurrency and self._serial else None,
            pace_us=pace_us if not self._serial and not self._concurrency else None,
        )
        self._shared = None if self._limited_by else self._with_gates(self._gates({}))

    @property
    def in_order(self) -> bool:
        """Whether a job keeps its place until it has ended."""
        return bool(self._serial)

    def line(self, arguments: str) -> Line:
        """Where a job with these encoded arguments waits."""
        gates, terms = self._shared or self._with_gates(self._gates(self._values(arguments, self._limited_by)))
        task = self._signature.name
        also = None
        if self._concurrency:
            also = concurrency_key(task, list(self._values(arguments, self._concurrency).values()))
        if self._serial:
            return Line(serial_key(task, list(self._values(arguments, self._serial).values())), also, terms)
        return Line(also or limit_line(" ".join(gates)), None, terms)

    def _values(self, arguments: str, names: tuple[str, ...]) -> dict[str, Any]:
        return dict(zip(names, self._signature.values(arguments, names), strict=True))

    def _gates(self, values: dict[str, Any]) -> list[str]:
        """The keys of all limits, each once."""
        return list(dict.fromkeys(key_of(limit, self._signature.name, values) for limit in self._limits))

    def _with_gates(self, gates: list[str]) -> tuple[list[str], str]:
        terms = self._terms
        return gates, Terms(terms.most, terms.also, terms.pace_us, gates or None).encoded()


def keyed(signature: Signature, serial: Serial, concurrency: Concurrency | None,
          limits: Sequence[Limit] = (), chunk: Chunk | None = None) -> Keyed | None:
    """The keys that a task declares; None if it declares none, and no limits."""
    if serial is None and concurrency is None and not limits:
        return None
    return Keyed(signature, serial, concurrency, limits, chunk)


def hidden_faults(signature: Signature, serial: Serial, concurrency: Concurrency | None,
                  limits: Sequence[Limit]) -> list[str]:
    """What is wrong with keys that would be kept, and shown, with values that nobody is to see."""
    if signature.marks is None:
        return []
    found = [("serial", serial), ("concurrency", concurrency.by if concurrency else None),
             *(("limits", limit.by) for limit in limits)]
    return [f"{what}: the values of {name!r} are encrypted or marked as secret, and a key of them would be kept as it"
            " is: name another parameter, such as an id, or take the mark away"
            for what, given in found for name in _names(given) if isinstance(name, str) and name in signature.names
            and signature.is_marked(name)]


def _names(given: Any) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(given)


def _by_faults(given: Concurrency, signature: Signature) -> list[str]:
    if given.by is None:
        return [f'concurrency: expected by= to name a parameter, as in Concurrency({given.count}, by="customer_id"),'
                " got none: for a limit of the whole task put it into limits="]
    return _faults("concurrency", given.by, signature)


def _faults(what: str, given: object, signature: Signature) -> list[str]:
    """What is wrong with the parameters that a key is to be made of."""
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, tuple) or not names or not all(isinstance(name, str) for name in names):
        return [f"{what}: expected the name of a parameter, or a tuple of names, got {given!r}"]
    return [f"{what}: no parameter {name!r}{did_you_mean(name, signature.names)}" for name in names
            if name not in signature.names]
