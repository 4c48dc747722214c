"""What a source shares between runs, as one run has it: a value, as of when it is true, and whether the run looked."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any


class Shared:
    """A snapshot's value for one run.

    `as_of_ms` is the time by the database's clock at which its first page had not been read yet, less the destination's
    lag; None without a snapshot. `used`: the value was looked at since this was last set to False.
    """

    __slots__ = ("as_of_ms", "used", "value")

    def __init__(self, value: Any = None, as_of_ms: int | None = None) -> None:
        self.value = value
        self.as_of_ms = as_of_ms
        self.used = False

    @property
    def dated(self) -> int | None:
        """As of when what was read with it is true; None where it was not looked at."""
        return self.as_of_ms if self.used else None

    def read(self) -> Any:
        """The value; that it was looked at is noted."""
        self.used = True
        return self.value


def snapshot_faults(where: str, declared: Any) -> Iterator[str]:
    """What is wrong with what a sync declares as its snapshot."""
    if declared is None:
        return
    if not callable(getattr(declared, "load", None)):
        yield (f"{where}: snapshot: expected a class with a method load(self), which gives what all subjects share, got"
               f" {declared!r}")
    max_age = getattr(declared, "max_age", None)
    if max_age is not None and not (isinstance(max_age, timedelta) and max_age > timedelta(0)):
        yield f"{where}: snapshot: max_age: expected a timedelta of more than 0, or None, got {max_age!r}"
