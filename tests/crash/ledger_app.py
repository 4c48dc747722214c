"""An app whose processes keep a ledger outside the database: see `ledger.py`."""

import os
import sys
import time

from penstock import Penstock, current_job
from penstock.events import Event, WorkerReplaced, WorkerStarted
from tests.crash.ledger import BATCH, COMMITTED, ENDED, INTENDED, LOST, STARTED, UP, text

SLOW_EVERY = 10
SLOW_SECONDS = 0.02

app = Penstock()
_file = os.open(os.path.join(os.environ["LEDGER"], f"{os.getpid()}.log"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)


@app.listen
def told(event: Event) -> None:
    if isinstance(event, WorkerStarted):
        os.write(_file, text(UP))
    elif isinstance(event, WorkerReplaced):
        os.write(_file, text(LOST))


@app.task(name="entry")
def entry(batch: int, number: int) -> None:
    id = current_job().id
    os.write(_file, text(STARTED, id, batch))
    if number % SLOW_EVERY == 0:
        time.sleep(SLOW_SECONDS)
    os.write(_file, text(ENDED, id, batch))


def enqueue() -> None:
    """Enqueue the batches whose numbers come in, one transaction each."""
    with app:
        for word in sys.stdin:
            batch = int(word)
            os.write(_file, text(INTENDED, batch=batch))
            jobs = app.enqueue_many([entry.call(batch, batch * BATCH + number) for number in range(BATCH)])
            os.write(_file, b"".join(text(COMMITTED, job.id, batch) for job in jobs))
