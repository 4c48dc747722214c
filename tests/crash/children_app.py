"""Bodies in children, for a worker that is killed: they say who they are, and go on for ever."""

import os
import threading
from datetime import timedelta

from penstock import Penstock

app = Penstock(poll_seconds=0.05)


def say() -> None:
    os.write(1, f"child {os.getpid()}\n".encode())


@app.task(pool="process")
def waits() -> None:
    say()
    threading.Event().wait()


@app.task(pool="process")
def holds() -> None:
    """Keep the interpreter's lock, so that no other thread of the child learns anything."""
    say()
    sum(range(10**15))


@app.task(pool="process", timeout=timedelta(hours=1))
def ends() -> None:
    say()
