"""Declarations of what a run, a job or a block of code may spend: rates, quotas, concurrency; and windows of time.

They are checked where they are declared. A limit counts for a *key*, which `key_of` tells: all that spends under one
key shares it, in whatever process it runs.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from penstock.domain.errors import ConfigurationError
from penstock.domain.names import did_you_mean

Per = Literal["second", "minute", "hour", "day"]
Unit = Literal["change", "call"]
SECONDS: dict[str, int] = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_UNITS = ("change", "call")
_WINDOWS = ("calendar", "sliding")
_LONGEST_KEY = 200


def _faults(count: object, per: object, unit: object, by: object) -> list[str]:
    faults = []
    if fault := _count_fault("limit", count):
        faults.append(fault)
    if per not in SECONDS:
        faults.append(f"per: expected one of {', '.join(SECONDS)}, got {per!r}{did_you_mean(str(per), SECONDS)}")
    if unit not in _UNITS:
        faults.append(f"unit: expected one of {', '.join(_UNITS)}, got {unit!r}{did_you_mean(str(unit), _UNITS)}")
    if by is not None and not (isinstance(by, str) and 0 < len(by) <= _LONGEST_KEY):
        faults.append(f"by: expected a name of 1 to {_LONGEST_KEY} characters, or None, got {by!r}")
    return faults


def _count_fault(what: str, count: object) -> str | None:
    if type(count) is int and 0 < count < 2**31:
        return None
    return f"expected a {what} of a whole number, more than 0 and less than 2^31, got {count!r}"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any second, minute, hour or day (`per`), spread evenly, for each key.

    `by` says whose rate it is: without it, that of the task or sync itself; for a sync `"account"` gives every account
    one; for a task the name of a parameter gives every value of it one; any other text is one key that all who name it
    share. A sync spends a permit for each change, with `unit="call"` for each call, reads included; a task spends one
    for each attempt. Raises `ConfigurationError`.
    """

    count: int
    per: Per
    by: str | None = None
    unit: Unit = "change"
    start: int | None = None

    def __post_init__(self) -> None:
        faults = _faults(self.count, self.per, self.unit, self.by)
        if self.start is not None:
            if fault := _count_fault("start", self.start):
                faults.append(fault)
            elif not faults and self.start > self.count:
                faults.append(f"expected a start of at most {self.count} (most), got {self.start}")
        if faults:
            raise ConfigurationError(faults)

    @classmethod
    def adaptive(cls, start: int, most: int, per: Per = "second", by: str | None = None,
                 unit: Unit = "change") -> "Rate":
        """A rate for an API that does not say what it allows: found by trying, and shared like any other.

        It begins with `start`, halves when the destination says that it is too much, and grows slowly while it does
        not, up to `most` (additive increase, multiplicative decrease: Chiu and Jain, 1989).
        """
        return cls(most, per, by, unit, start)

    @property
    def seconds(self) -> int:
        """The length of `per`."""
        return SECONDS[self.per]

    @property
    def pace_us(self) -> int:
        """Microseconds from one permit to the next, at the pace of the limit."""
        return self.seconds * 1_000_000 // (self.start or self.count)

    def __str__(self) -> str:
        return f"{'at most ' if self.start else ''}{self.count:,} {self.unit}s per {self.per}"


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `count` in a period, however they are spread, for each key; `by` and `unit` as for `Rate`.

    With `window="calendar"` the period is a second, minute, hour or day of the calendar in `timezone`, as most APIs
    count; with `"sliding"` any stretch of time of that length. Raises `ConfigurationError`.
    """

    count: int
    per: Per
    by: str | None = None
    window: Literal["calendar", "sliding"] = "calendar"
    unit: Unit = "change"
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        faults = _faults(self.count, self.per, self.unit, self.by)
        if self.window not in _WINDOWS:
            faults.append(f"window: expected 'calendar' or 'sliding', got {self.window!r}"
                          f"{did_you_mean(str(self.window), _WINDOWS)}")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, TypeError, OSError):
            faults.append(f"timezone: expected a name such as 'Europe/Berlin', got {self.timezone!r}")
        if faults:
            raise ConfigurationError(faults)

    @property
    def seconds(self) -> int:
        """The length of `per`; a day of a time zone may be an hour longer or shorter."""
        return SECONDS[self.per]

    def __str__(self) -> str:
        where = "" if self.timezone == "UTC" else f" ({self.timezone})"
        return f"{self.count:,} {self.unit}s {'in any' if self.window == 'sliding' else 'a'} {self.per}{where}"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `count` at a time for each key.

    As a task's `concurrency=`, `by` names the parameters whose values are its key: one name, or a tuple of them. Its
    jobs then wait as pending until there is a place. In `limits`, or for `app.limit`, it gives permits, which come back
    when what they were for has ended; `by` is then as for `Rate`. Raises `ConfigurationError`.
    """

    count: int
    by: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given: object = self.count
        if type(given) is not int or given <= 0:
            raise ConfigurationError(f"expected a concurrency of a whole number above 0, got {given!r}")

    @property
    def unit(self) -> Unit:
        """A call takes one place, however many changes it carries."""
        return "call"

    def __str__(self) -> str:
        return f"{self.count:,} at a time"


Limit = Rate | Quota | Concurrency


def key_of(limit: Limit, owner: str, values: Mapping[str, Any]) -> str:
    """The key under which a limit is shared.

    `owner` is the name of the task or sync that declares it; `values` are what `by` may name there: a task's arguments
    by parameter, the account of a sync as `account`. Texts stand for themselves, other values as JSON; what is long is
    told by a digest.
    """
    by = limit.by
    if by is None:
        return owner
    if isinstance(by, tuple):
        return f"{owner}:{_text([values[name] for name in by])}"
    return f"{owner}:{_text(values[by])}" if by in values else by


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
    if len(text) <= _LONGEST_KEY and "\0" not in text:
        return text
    return f"#{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def name_of(limit: Limit) -> str:
    """What tells a limit apart from the others of its key: two that say the same are one."""
    match limit:
        case Rate(start=None):
            return f"rate {limit.count}/{limit.per}"
        case Rate():
            return f"adaptive {limit.start}-{limit.count}/{limit.per}"
        case Quota():
            return f"quota {limit.count}/{limit.per} {limit.window} {limit.timezone}"
        case Concurrency():
            return "concurrency"


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
