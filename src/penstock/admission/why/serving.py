"""Which workers live, and which queues they serve."""

import msgspec

from penstock.store.port import Transaction

_MOST_WORKERS = 1000


class Serving:
    """The workers that renew. One of an older version does not say what it serves, and may serve anything."""

    def __init__(self, tx: Transaction) -> None:
        self._queues = [(name, None if queues is None else msgspec.json.decode(queues, type=list[str]))
                        for _, name, _, queues in tx.rows("why_workers", {"count": _MOST_WORKERS})]

    def nobody(self, queue: str) -> str | None:
        """A sentence that says that no worker serves a queue; None where one does, or may."""
        if any(queues is None or queue in queues for _, queues in self._queues):
            return None
        if not self._queues:
            return f"no worker is alive, so nobody serves queue {queue}"
        served = sorted({each for _, queues in self._queues for each in queues or ()})
        return f"no live worker serves queue {queue}: those that live serve {', '.join(served) or 'none'}"

    @property
    def dispatcher(self) -> str | None:
        """A sentence that says that nobody dispatches; None where some worker does."""
        return None if self._queues else "no worker is alive, so nobody folds requests or admits anything"
