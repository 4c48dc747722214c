"""What a task may return or raise to say how its attempt ended, other than well or badly."""

from dataclasses import dataclass
from datetime import timedelta


class Signal(Exception):
    """The root: a decision, not a failure. Returning one and raising one mean the same."""


@dataclass(eq=False)
class Snooze(Signal):
    """Run again after a while; the attempt is not counted."""

    delay: timedelta
    reason: str = ""


@dataclass(eq=False)
class Cancel(Signal):
    """The job need not be done any more: it ends as cancelled, with this reason."""

    reason: str = ""


@dataclass(eq=False)
class Retry(Signal):
    """Try again, as after a failure: the attempt is counted. Without `delay` the task's retry policy decides."""

    delay: timedelta | None = None
    reason: str = ""
