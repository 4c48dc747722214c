"""How much a customer or a developer token may do in any stretch of time: a sliding window, counted exactly."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["operation", "call"]
EACH = "*"


@dataclass
class Quota:
    """At most `limit` units within any `seconds`, for one name, or (`*`) for each name by itself."""

    limit: int
    seconds: float
    unit: Unit
    of: Literal["customer", "token"]
    name: str
    spent: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)

    def applies(self, names: dict[str, str]) -> bool:
        return self.name in (EACH, names[self.of])

    def wait(self, names: dict[str, str], amount: int, now: float) -> float:
        """For how many seconds this much has to wait; infinite where it can never be had."""
        if amount > self.limit:
            return float("inf")
        spent, wait = self._spent(names, now), 0.0
        missing = amount + sum(count for _, count in spent) - self.limit
        for at, count in spent:
            if missing <= 0:
                break
            missing -= count
            wait = at + self.seconds - now
        return wait

    def spend(self, names: dict[str, str], amount: int, now: float) -> None:
        if amount:
            self._spent(names, now).append((now, amount))

    def _spent(self, names: dict[str, str], now: float) -> deque[tuple[float, int]]:
        spent = self.spent.setdefault(names[self.of], deque())
        while spent and spent[0][0] + self.seconds <= now:
            spent.popleft()
        return spent
