"""Batches: the list by key, and how far one is, with what failed in it and what waits for its end."""

import msgspec

from penstock.domain.listing import JobListed, Waited
from penstock.queue.batches import BatchStatus
from penstock.web.asked import Number
from penstock.web.declared import NotFound, Seen, View

_LIMIT = 50
_SAMPLE = 10


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """From which batch on."""

    before: Number | None = None


class OneBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Which batch."""

    id: Number


class Batches(msgspec.Struct, frozen=True):
    """Batches, the newest first; `older` is where the next page begins. `now` is the store's time (ms since 1970)."""

    batches: list[BatchStatus]
    older: int | None
    now: int


class BatchPage(msgspec.Struct, frozen=True):
    """How far a batch is. `failed` are the last that were discarded, `jobs` its first, and `awaited_by` wait for its
    end. At the rate of by now it takes `left_ms` more."""

    batch: BatchStatus
    pending: int
    percent: float
    left_ms: int | None
    failed: list[JobListed]
    jobs: list[JobListed]
    awaited_by: list[Waited]
    now: int


def load_list(seen: Seen, asked: Asked) -> Batches:
    """The batches that there are; one that has ended is kept for 30 days."""
    found = seen.app.batches(asked.before, _LIMIT + 1)
    shown = found[:_LIMIT]
    return Batches(shown, shown[-1].id if len(found) > _LIMIT else None, seen.app.now_ms())


def load(seen: Seen, asked: OneBatch) -> BatchPage:
    """How far a batch is: it is kept for 30 days after its end."""
    app = seen.app
    batch = app.batch_status(asked.id)
    if batch is None:
        raise NotFound(f"There is no batch {asked.id}", "It never was, or it ended more than 30 days ago.")
    now = app.now_ms()
    failed = app.jobs("discarded", batch=batch.id, limit=_SAMPLE).jobs if batch.discarded else []
    return BatchPage(batch, batch.pending, batch.percent, _left_ms(batch, now), failed,
                     app.jobs(batch=batch.id, limit=_SAMPLE).jobs, app.batch_awaited_by(batch.id), now)


def _left_ms(batch: BatchStatus, now: int) -> int | None:
    ended = batch.total - batch.pending
    if batch.finished_at is not None or batch.made_at is None or not ended or not batch.pending:
        return None
    return round((now - batch.made_at) / ended * batch.pending)


VIEWS = [
    View(path="/batches", asked=Asked, load=load_list, template="jobs/batches.html", title="Batches", nav="batches",
         live=5.0),
    View(path="/batches/{id}", asked=OneBatch, load=load, template="jobs/batch.html", nav="batches", live=2.0,
         title=lambda m: f"Batch {m.batch.id}"),
]
