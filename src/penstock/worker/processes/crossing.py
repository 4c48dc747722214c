"""How signals and errors cross from a child to its worker: by name, with plain values. Anything else arrives as a
failure that says which class it was of and where it was raised."""

from datetime import timedelta
from typing import Any

import msgspec

from penstock.domain import errors, signals
from penstock.domain.errors import RaisedInProcess
from penstock.domain.jobs import Elsewhere, class_of, message, text_of
from penstock.domain.plain import UNWRITABLE, Unwritable, encoder
from penstock.worker.processes.messages import Raised, Returned, Signalled

_SIGNALS: dict[str, Any] = {each.__name__: each for each in (signals.Cancel, signals.Retry, signals.Snooze)}
_KNOWN = {each.__name__: each for each in (
    errors.DeadlinePassed, errors.GateClosed, errors.InvalidArguments, errors.JobCancelled, errors.JobStalled,
    errors.JobTimedOut, errors.Limited, errors.NoWorkerProcess, errors.OutOfTime, errors.StaleLease, errors.Stopping,
    errors.Throttled, errors.Unavailable)}
_ATTRIBUTES = ("key", "reason", "retry_after", "seconds", "sent")
_MOST = 2**63 - 1


def returned(result: object, records: bool) -> Returned:
    """What a body returned, as it crosses."""
    if not records or result is None:
        return Returned()
    try:
        return Returned(encoder.encode(result))
    except UNWRITABLE as error:
        return Returned(unwritable=_utf8(message(error)))


def signalled(signal: signals.Signal) -> Signalled | Raised:
    """A signal as it crosses."""
    delay = getattr(signal, "delay", None)
    if type(signal).__name__ not in _SIGNALS or not isinstance(delay, timedelta | None):
        return raised(TypeError(f"expected Snooze, Cancel or Retry with a timedelta, got {signal!r}"))
    return Signalled(type(signal).__name__, delay, _utf8(str(getattr(signal, "reason", ""))))


def raised(error: BaseException) -> Raised:
    """An error as it crosses."""
    known = next((each.__name__ for each in type(error).__mro__ if _KNOWN.get(each.__name__) is each), "")
    plain = {name: _plain(getattr(error, name)) for name in _ATTRIBUTES if known and hasattr(error, name)}
    return Raised(class_of(error), _utf8(message(error)), _utf8(text_of(error)), known, plain)


def arrived(came_to: Returned | Signalled | Raised) -> Any:
    """What crossed, on the other side: a result or a signal. Raises an error that was raised there."""
    if isinstance(came_to, Raised):
        raise _error(came_to)
    if isinstance(came_to, Signalled):
        given: dict[str, Any] = {"reason": came_to.reason}
        if came_to.delay is not None:
            given["delay"] = came_to.delay
        return _SIGNALS[came_to.name](**given)
    if came_to.unwritable is not None:
        return Unwritable(came_to.unwritable)
    return None if came_to.result is None else msgspec.json.decode(came_to.result)


def _error(came_to: Raised) -> Exception:
    kind: type[Exception] = _KNOWN.get(came_to.known, RaisedInProcess)
    error = kind.__new__(kind)
    Exception.__init__(error, came_to.message)
    vars(error).update(came_to.plain)
    vars(error)["elsewhere"] = Elsewhere(came_to.class_name, came_to.text)
    return error


def _plain(value: object) -> object:
    if isinstance(value, str):
        return _utf8(value)
    return value if isinstance(value, float) or (isinstance(value, int) and abs(value) <= _MOST) else None


def _utf8(text: str) -> str:
    """Text that can be encoded: a message may hold half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()
