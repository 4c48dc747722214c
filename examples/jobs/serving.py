"""What the programs of this folder share: a worker for as long as a block lasts, which ends when all is done."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from penstock import Penstock

URL = os.environ.get("PENSTOCK_URL", "sqlite:///jobs.db")
LIVE = {"scheduled", "pending", "available", "executing", "retryable"}


@contextmanager
def working(app: Penstock, **queues: int) -> Iterator[None]:
    """Run a worker with so many slots for each queue, and leave when no job is live any more."""
    app.migrate()
    worker = app.worker(queues or None)
    worker.start()
    try:
        yield
        while any(count.state in LIVE for count in app.counts()):
            time.sleep(0.02)
    finally:
        worker.stop()
        app.close()
