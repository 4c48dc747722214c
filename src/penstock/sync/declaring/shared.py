"""What a source shares between runs, as one run has it: a value, as of when it is true, and whether the run looked."""

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
