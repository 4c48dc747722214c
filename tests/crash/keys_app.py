"""An app of jobs that all have one serial key, whose processes keep a ledger of who held it: see `ledger.py`."""

import os
import time

from penstock import Penstock, current_job
from penstock.events import Event, StaleSettle, WorkerReplaced, WorkerStarted
from tests.crash.ledger import ENDED, LOST, STALE, STARTED, UP, text

SLOW_EVERY = 20
SLOW_SECONDS = 0.03

app = Penstock()
_file = os.open(os.path.join(os.environ["LEDGER"], f"{os.getpid()}.log"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)


@app.listen
def told(event: Event) -> None:
    if isinstance(event, WorkerStarted):
        os.write(_file, text(UP))
    elif isinstance(event, WorkerReplaced):
        os.write(_file, text(LOST))
    elif isinstance(event, StaleSettle):
        os.write(_file, text(STALE, event.job_id, event.lease))


@app.task(name="hold", serial="key")
def hold(key: str, number: int) -> None:
    job = current_job().job
    os.write(_file, text(STARTED, job.id, job.lease))
    if number % SLOW_EVERY == 0:
        time.sleep(SLOW_SECONDS)
    os.write(_file, text(ENDED, job.id, job.lease))
