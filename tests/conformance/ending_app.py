"""An app for worker processes of the tests, whose attempts end in ways that take a process with them."""

import threading
from datetime import timedelta

from penstock import Penstock
from tests.conformance.worker_app import say

app = Penstock(lease_seconds=1.0, poll_seconds=0.1, patience_seconds=0.1, abandoned_limit=1, grace_seconds=0.2)


@app.task(timeout=timedelta(milliseconds=50))
def stuck() -> None:
    say("stuck")
    threading.Event().wait()


@app.task(delivery="at_most_once")
def once() -> None:
    say("once")
    threading.Event().wait()


@app.task
def last() -> None:
    say("last")


def enqueuing(url: str) -> Penstock:
    """The same tasks on a store, in a process that only enqueues."""
    found = Penstock(url)
    for task in app.tasks.values():
        if not task.name.startswith("penstock."):
            found.task(task.function, name=task.name, retry=task.rules.retry, delivery=task.rules.delivery)
    return found
