"""Declarations of what a run or a job may spend: rates, quotas and windows.

They are checked where they are declared. Nothing enforces them yet: that is the work of admission and limits.
"""

from dataclasses import dataclass
from typing import Literal

from penstock.domain.errors import ConfigurationError

Per = Literal["second", "minute", "hour", "day"]
SECONDS: dict[str, int] = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


def _check(count: int, per: str) -> None:
    faults = []
    if count <= 0:
        faults.append(f"expected a limit of more than 0, got {count}")
    if per not in SECONDS:
        faults.append(f"per: expected one of {', '.join(SECONDS)}, got {per!r}")
    if faults:
        raise ConfigurationError(faults)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` per second, minute, hour or day, spread evenly, for each value of `by`."""

    count: int
    per: Per
    by: str = "default"
    unit: Literal["change", "call"] = "change"

    def __post_init__(self) -> None:
        _check(self.count, self.per)


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `count` in a calendar period or in any period of that length, for each value of `by`."""

    count: int
    per: Per
    by: str = "default"
    window: Literal["calendar", "sliding"] = "calendar"
    unit: Literal["change", "call"] = "change"

    def __post_init__(self) -> None:
        _check(self.count, self.per)
        if self.window not in ("calendar", "sliding"):
            raise ConfigurationError(f"window: expected 'calendar' or 'sliding', got {self.window!r}")


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `count` at a time for each value of `by`.

    As a task's `concurrency=`, `by` names the parameters whose values are its key: one name, or a tuple of them. Its
    jobs then wait as pending until there is a place. Raises `ConfigurationError`.
    """

    count: int
    by: str | tuple[str, ...] = "default"

    def __post_init__(self) -> None:
        given: object = self.count
        if type(given) is not int or given <= 0:
            raise ConfigurationError(f"expected a concurrency of a whole number above 0, got {given!r}")


Limit = Rate | Quota


@dataclass(frozen=True, slots=True)
class Window:
    """A time box in seconds: `total` for the whole, of which `headroom` must remain to begin another run."""

    total: float
    headroom: float

    def __post_init__(self) -> None:
        if not 0 <= self.headroom < self.total:
            raise ConfigurationError(
                f"expected a window with 0 <= headroom < total, got headroom {self.headroom} of {self.total} seconds"
            )
