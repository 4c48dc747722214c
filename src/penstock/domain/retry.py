"""When to try again."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from penstock.domain.errors import ConfigurationError

_MOST_ATTEMPTS = 2**31 - 1
_LONGEST_SECONDS = 10 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter.

    The wait after attempt n is `base_seconds × factor^(n-1)`, at most `longest_seconds`, then drawn evenly from
    `1 - jitter` to `1 + jitter` times that, so that jobs which failed together do not come back together.
    """

    max_attempts: int = 20
    base_seconds: float = 2.0
    factor: float = 2.0
    longest_seconds: float = 3600.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        faults = []
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= _MOST_ATTEMPTS:
            faults.append(f"max_attempts: expected a whole number, 1 to {_MOST_ATTEMPTS}, got {self.max_attempts!r}")
        for name in ("base_seconds", "longest_seconds"):
            if not 0 <= getattr(self, name) <= _LONGEST_SECONDS:
                faults.append(f"{name}: expected 0 to {_LONGEST_SECONDS} seconds, got {getattr(self, name)}")
        if not 1 <= self.factor < math.inf:
            faults.append(f"factor: expected at least 1, got {self.factor}")
        if not 0 <= self.jitter <= 1:
            faults.append(f"jitter: expected 0 to 1, got {self.jitter}")
        if faults:
            raise ConfigurationError(faults)

    def delay_seconds(self, attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """How long to wait after attempt number `attempt` (from 1) has failed."""
        try:
            wait = min(self.base_seconds * self.factor ** (attempt - 1), self.longest_seconds)
        except OverflowError:
            wait = self.longest_seconds
        return wait * uniform(1 - self.jitter, 1 + self.jitter)
