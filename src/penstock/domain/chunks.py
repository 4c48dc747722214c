"""Chunks: how many jobs of a task one call receives, and for how long the first of them waits for the others."""

from dataclasses import dataclass

from penstock.domain.errors import DeclarationError

_MOST_JOBS = 10_000
_LONGEST_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Chunk:
    """One call of the task's function receives up to `size` jobs.

    A worker gathers them as it claims them, until there are so many, or the first of them has waited for `wait`
    seconds; with 0, what was claimed together. Raises `DeclarationError`.
    """

    size: int
    wait: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        if type(self.size) is not int or not 1 <= self.size <= _MOST_JOBS:
            faults.append(f"chunk: expected a size of 1 to {_MOST_JOBS:,} jobs, got {self.size!r}")
        if (isinstance(self.wait, bool) or not isinstance(self.wait, int | float)
                or not 0 <= self.wait <= _LONGEST_SECONDS):
            faults.append(f"chunk: expected a wait of 0 to {_LONGEST_SECONDS} seconds, got {self.wait!r}")
        if faults:
            raise DeclarationError(faults)
