"""The limits of a task: what an attempt spends just before its body begins.

The invariant: a body runs with a permit of every limit of its task, or the attempt is given back as if it had not been.
"""

from collections.abc import Callable, Sequence
from typing import Any

from penstock.domain.limits import Limit
from penstock.limits.declared import Declared
from penstock.limits.spending import Need, Options, Permit, Spending
from penstock.queue.arguments.signature import Signature
from penstock.queue.attempt import Attempt

PATIENCE_SECONDS = 2.0
"""For so long a slot is kept waiting for a permit; what would take longer waits as a scheduled job."""


class TaskLimits:
    """The limits of one task. `spending` is asked for when the first permit is."""

    def __init__(self, signature: Signature, limits: Sequence[Limit], declared: Declared,
                 spending: Callable[[], Spending]) -> None:
        self.limits = tuple(limits)
        self._signature = signature
        self._declared = declared
        self._spending = spending
        self._named = tuple({name for limit in limits for name in _names(limit) if name in signature.names})

    def needs(self, arguments: str) -> list[Need]:
        """What an attempt with these encoded arguments spends."""
        values = dict(zip(self._named, self._signature.values(arguments, self._named), strict=True))
        return [Need(limit, key) for limit, key in self._declared.keyed(self.limits, self._signature.name, values)]

    def take(self, attempt: Attempt) -> Permit:
        """Leave for an attempt. Raises `Limited`, and what `attempt.check` raises."""
        return self._spending().acquire(self.needs(attempt.job.arguments), **_options(attempt))

    async def atake(self, attempt: Attempt) -> Permit:
        """The same on an event loop."""
        return await self._spending().aacquire(self.needs(attempt.job.arguments), **_options(attempt))


def _options(attempt: Attempt) -> Options:
    return {"patience": PATIENCE_SECONDS, "check": attempt.check}


def _names(limit: Limit) -> tuple[Any, ...]:
    return limit.by if isinstance(limit.by, tuple) else (limit.by,)
