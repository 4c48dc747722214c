"""An app for workers on several machines: what its jobs do, and what its worker hears, goes to a file of its own."""

import os
import threading
import time

from penstock import Penstock, current_job
from penstock.events import Event, StaleSettle, WorkerReplaced, WorkerStarted

app = Penstock()
_file = os.open(os.path.join(os.environ["LEDGER"], os.environ["MACHINE"]), os.O_CREAT | os.O_WRONLY | os.O_APPEND)


def write(*words: object) -> None:
    os.write(_file, f"{' '.join(map(str, words))}\n".encode())


@app.listen
def told(event: Event) -> None:
    match event:
        case WorkerStarted():
            write("up", event.worker_id)
        case WorkerReplaced():
            write("replaced", event.lost_id, event.worker_id)
        case StaleSettle():
            write("stale", event.job_id)


@app.task(name="work")
def work(number: int) -> None:
    """Say at which wall clock it runs, and take a while."""
    write("ran", current_job().id, time.time())
    threading.Event().wait(0.05)


@app.task(name="ship", serial="order")
def ship(order: int) -> None:
    """Say that it ran."""
    write("ran", current_job().id, time.time())
