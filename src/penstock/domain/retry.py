"""When to try again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from penstock.domain.errors import ConfigurationError


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
        if self.max_attempts < 1:
            faults.append(f"max_attempts: expected at least 1, got {self.max_attempts}")
        if self.base_seconds < 0 or self.longest_seconds < 0:
            faults.append(f"expected waits of 0 s or more, got {self.base_seconds} and {self.longest_seconds}")
        if self.factor < 1:
            faults.append(f"factor: expected at least 1, got {self.factor}")
        if not 0 <= self.jitter <= 1:
            faults.append(f"jitter: expected 0 to 1, got {self.jitter}")
        if faults:
            raise ConfigurationError(faults)

    def delay_seconds(self, attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """How long to wait after attempt number `attempt` (from 1) has failed."""
        exponent = min(attempt - 1, 64)
        wait = min(self.base_seconds * self.factor**exponent, self.longest_seconds)
        return wait * uniform(1 - self.jitter, 1 + self.jitter)
