"""Which keys a task's jobs have: by `serial` they run one at a time, in order; by `concurrency` so many at once.

The keys are made where a job is enqueued, from its arguments (a default stands for one that was not given), so a store
needs no task to know in which line a job waits.
"""

from typing import Any

from penstock.domain.errors import DeclarationError
from penstock.domain.limits import Concurrency
from penstock.domain.lines import Line, Terms, concurrency_key, serial_key
from penstock.domain.names import did_you_mean
from penstock.queue.signature import Signature

Serial = str | tuple[str, ...] | None


class Keyed:
    """The keys of one task's jobs. Raises `DeclarationError` with every fault of their declaration."""

    def __init__(self, signature: Signature, serial: Serial, concurrency: Concurrency | None) -> None:
        faults = _faults("serial", serial, signature) if serial is not None else []
        given: object = concurrency
        if isinstance(given, Concurrency):
            faults += _by_faults(given, signature)
        elif given is not None:
            faults.append(f'concurrency: expected Concurrency(4, by="a parameter"), got {given!r}')
        if faults:
            raise DeclarationError([f"task {signature.name}: {fault}" for fault in faults])
        self._signature = signature
        self._serial = _names(serial)
        self._concurrency = _names(concurrency.by) if concurrency else ()
        most = concurrency.count if concurrency else None
        self._terms = (Terms(1, most) if serial is not None else Terms(most)).encoded()

    def line(self, arguments: str) -> Line:
        """Where a job with these encoded arguments waits."""
        task, values = self._signature.name, self._signature.values
        also = concurrency_key(task, values(arguments, self._concurrency)) if self._concurrency else None
        if self._serial:
            return Line(serial_key(task, values(arguments, self._serial)), also, self._terms)
        assert also is not None
        return Line(also, None, self._terms)


def keyed(signature: Signature, serial: Serial, concurrency: Concurrency | None) -> Keyed | None:
    """The keys that a task declares; None if it declares none."""
    return None if serial is None and concurrency is None else Keyed(signature, serial, concurrency)


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
