"""What a plan would cost: calls, permits of the declared limits, and time as earlier runs suggest."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.domain.limits import Concurrency, Quota, Rate
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.planning.plan import LayerPlan

_KINDS = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Permits:
    """What one limit would have to give. `seconds` is how long it takes to give so many, if nobody else asks."""

    limit: str
    needed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """`calls` are writes in full batches; a destination may need more. `seconds` is None where nothing is known yet."""

    changes: int
    calls: int
    permits: tuple[Permits, ...]
    seconds: float | None


def cost(store: Store, definition: SyncDefinition, plans: Sequence[tuple[int, dict[str, int]]]) -> Cost:
    """The cost of plans, each given as the batch size of its layer and what `summary` says."""
    changes = sum(counts[kind] for _, counts in plans for kind in _KINDS)
    calls = sum(-(-counts[kind] // batch) for batch, counts in plans for kind in _KINDS)
    rows = store.read(lambda tx: tx.rows("runs_pace", {"sync": definition.name}))
    took_ms, made = rows[0] if rows else (None, None)
    seconds = float(took_ms) / float(made) * calls / 1000 if took_ms and made else None
    permits = tuple(_permits(limit, changes if limit.unit == "change" else calls)
                    for limit in definition.options.limits if not isinstance(limit, Concurrency))
    if seconds is not None:
        seconds = max([seconds, *(each.seconds for each in permits)])
    return Cost(changes, calls, permits, seconds)


def summed(plan: LayerPlan) -> tuple[int, dict[str, int]]:
    """A layer's plan as `cost` takes it."""
    return plan.layer.batch_size, plan.summary()


def _permits(limit: Rate | Quota, needed: int) -> Permits:
    whose = f", by {limit.by}" if limit.by else ""
    return Permits(f"{limit}{whose}", needed, max(needed - limit.count, 0) / limit.count * limit.seconds)
