"""Waits: what became of jobs and batches is folded into what waits for them, in steps of bounded size.

A step takes in some news, counts those of batches, and settles the waits for what has ended: who waits for nothing more
is released, who was not to run after that is cancelled, which is news for the next step.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from penstock.events import BatchEnded, Event, JobSkipped
from penstock.store.port import Transaction

_NEWS_BATCH = 2000
_WAITS_BATCH = 2000
_BATCH_KEPT_MS = 30 * 86_400_000
"""For how long a batch is remembered after it has ended: as long as what it discarded is kept by default."""


class Folded(NamedTuple):
    """Whether there may be more to do, at once or a little later; whether jobs were released; what is to be told."""

    more: bool
    later: bool
    released: bool
    told: list[Event]


def fold_waits(tx: Transaction, note: bool, keep_ms: Callable[[], Mapping[str, int]]) -> Folded:
    """One step. `keep_ms` says by a task's name for how long a cancelled job is kept."""
    rows = tx.rows("waits_fold", {"count": _NEWS_BATCH, "note": note, "keep_ms": _BATCH_KEPT_MS})
    ended = {id: what for id, what, _ in rows if what not in ("again", "taken")}
    if not ended:
        return Folded(any(what == "taken" for _, what, _ in rows), bool(rows), False, [])
    batches = [id for id, what, n in rows if n == 0 and id in ended]
    told: list[Event] = [BatchEnded(*row) for row in tx.rows("batches_ended", {"ids": batches})] if batches else []
    named = {"ids": list(ended), "states": list(ended.values())}
    kept = msgspec.json.encode(keep_ms()).decode()
    judged = tx.batch("waits_end", {**named, "count": _WAITS_BATCH, "keep_ms": kept})
    left = tx.batch("waits_left", named)
    cancelled = {id: task for id, released, task in judged if not released and task is not None}
    told += [JobSkipped(id, task, "dependency") for id, task in cancelled.items()]
    return Folded(bool(judged) or not left, bool(left), any(released for _, released, _ in judged), told)
