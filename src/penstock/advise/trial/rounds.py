"""Rounds of a trial: what one statement took in each, and what that comes to."""

import statistics
from collections.abc import Sequence

import msgspec

from penstock.domain.advice import Measure, Plan


class Runs(msgspec.Struct, frozen=True):
    """One round of one statement: a plan for each of its calls. `late` are those that were broken off, each after
    `limit_us`: of them only the plan is known."""

    plans: tuple[Plan, ...]
    late: int = 0
    limit_us: int = 0

    @property
    def took_us(self) -> int:
        return sum(plan.root.took_us or 0 for plan in self.plans) + self.late * self.limit_us

    @property
    def blocks(self) -> int | None:
        """Blocks of all calls; None where some were broken off, or none are counted."""
        blocks = [plan.root.blocks for plan in self.plans]
        return None if self.late or None in blocks else sum(each or 0 for each in blocks)

    @property
    def rows(self) -> int | None:
        return None if self.late else round(sum((plan.root.actual_rows or 0) for plan in self.plans))

    @property
    def cost(self) -> float:
        return sum(plan.root.cost or 0 for plan in self.plans)


def measure(rounds: Sequence[Runs]) -> Measure:
    """The median of the rounds. The first is often cold, and so seldom the one in the middle."""
    middle = sorted(rounds, key=lambda runs: runs.took_us)[(len(rounds) - 1) // 2]
    blocks = [each.blocks for each in rounds if each.blocks is not None]
    return Measure(rounds=len(rounds), took_us=round(statistics.median(runs.took_us for runs in rounds)),
                   blocks=round(statistics.median(blocks)) if len(blocks) == len(rounds) else None,
                   rows=middle.rows, cost=statistics.median(runs.cost for runs in rounds))


def best(rounds: Sequence[Runs]) -> tuple[Plan, ...]:
    """The plans of the quickest round."""
    return min(rounds, key=lambda runs: runs.took_us).plans
