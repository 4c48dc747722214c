"""What a task may declare of its results: that they are recorded, how large one may be, and for how long it is kept."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from penstock.domain.errors import DeclarationError

WAIT_SECONDS = 30.0
"""For how long a result is waited for where nobody says how long."""

_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Result:
    """What bodies of a task return is recorded, as JSON of at most `limit_bytes`, and kept for `keep` after the job has
    ended. Raises `DeclarationError`."""

    limit_bytes: int = 64 * 1024
    keep: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        faults = []
        if type(self.limit_bytes) is not int or not 0 < self.limit_bytes <= _MOST_BYTES:
            faults.append(f"result: limit_bytes: expected a whole number from 1 to {_MOST_BYTES:,}, got"
                          f" {self.limit_bytes!r}")
        keep: object = self.keep
        if not isinstance(keep, timedelta) or not timedelta(0) < keep <= timedelta(days=36_500):
            faults.append(f"result: keep: expected a timedelta above zero, of at most 36,500 days, got {self.keep!r}")
        if faults:
            raise DeclarationError(faults)


class Asker(Protocol):
    """Asks for the results of jobs."""

    def result(self, job_id: int, timeout: float | None) -> Any: ...

    async def aresult(self, job_id: int, timeout: float | None) -> Any: ...  # noqa: ASYNC109
