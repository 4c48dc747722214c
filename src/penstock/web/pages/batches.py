"""A batch: how far it is. There is no list of them: whoever has enqueued one knows its number, and so do its jobs."""

import msgspec

from penstock.queue.batches import BatchStatus
from penstock.web.asked import Number
from penstock.web.declared import NotFound, Seen, View


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which batch."""

    id: Number


class BatchPage(msgspec.Struct, frozen=True):
    """How far a batch is."""

    batch: BatchStatus
    pending: int


def load(seen: Seen, asked: Asked) -> BatchPage:
    """How far a batch is: it is kept for 30 days after its end."""
    batch = seen.app.batch_status(asked.id)
    if batch is None:
        raise NotFound(f"There is no batch {asked.id}", "It never was, or it ended more than 30 days ago.")
    return BatchPage(batch, batch.pending)


VIEWS = [View(path="/batches/{id}", asked=Asked, load=load, template="jobs/batch.html", nav="jobs", live=2.0,
              title=lambda m: f"Batch {m.batch.id}")]
