"""The time that a host gives, cut into three: for beginning work, for ending it, and for settling what was cut off.

All three are moments of one monotonic clock, so that setting a machine's time changes none of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from penstock.domain.errors import ConfigurationError
from penstock.domain.limits import Window

Monotonic = Callable[[], float]

_CLOSING_SECONDS = 10.0
_CLOSING_SHARE = 4
_HEADROOM_SHARE = 10
_RESERVE_SECONDS, _RESERVE_SHARE = 2.0, 5


@dataclass(frozen=True, slots=True)
class TimeBox:
    """Nothing is begun from `begin_until` on; what runs is told to stop at `until`; at `ends_at` the host ends it."""

    begin_until: float
    until: float
    ends_at: float

    @classmethod
    def of(cls, window: Window, now: float) -> Self:
        """The box that begins now. What is told to stop has a quarter of the headroom for it, 10 seconds at most."""
        spare = max(window.headroom, window.total / _HEADROOM_SHARE)
        ends_at = now + window.total
        until = ends_at - min(_CLOSING_SECONDS, spare / _CLOSING_SHARE)
        return cls(min(ends_at - window.headroom, until), until, ends_at)


def given_up_at(now: float, ends_at: float) -> float:
    """When to wait no longer for what was told to stop: what is left of the time is for settling without it."""
    left = max(ends_at - now, 0.0)
    return ends_at - min(_RESERVE_SECONDS, left / _RESERVE_SHARE)


def host_window(max_runtime: float | None, headroom: float | None) -> Window | None:
    """The window of a host that ends its processes after `max_runtime` seconds; None where it does not.

    Raises `ConfigurationError` unless 0 < headroom < max_runtime. Without `headroom` it is a fifth of the whole.
    """
    if max_runtime is None:
        if headroom is not None:
            raise ConfigurationError(f"headroom: {headroom:g} seconds of what? expected max-runtime beside it")
        return None
    faults = [f"{name}: expected more than 0 seconds, got {value:g}"
              for name, value in (("max-runtime", max_runtime), ("headroom", headroom))
              if value is not None and not 0 < value < float("inf")]
    if not faults and headroom is not None and headroom >= max_runtime:
        faults.append(f"headroom: expected less than max-runtime, got {headroom:g} of {max_runtime:g} seconds: nothing"
                      " could ever be begun")
    if faults:
        raise ConfigurationError(faults)
    return Window(max_runtime, max_runtime / 5 if headroom is None else headroom)
