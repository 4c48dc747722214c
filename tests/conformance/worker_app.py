"""An app for a worker process of the tests: it says on its output what its jobs do."""

import os
import sys
import threading

from penstock import Penstock
from tests.waiting import until

app = Penstock(lease_seconds=1.0, poll_seconds=0.1)


def say(text: str) -> None:
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


@app.task
def quick(number: int) -> None:
    say(f"ran {number}")


@app.task
def wait_for(path: str) -> None:
    """Wait until a file exists."""
    say("waiting")
    until(f"{path} is there", lambda: os.path.exists(path))
    say("done")


@app.task
def for_ever() -> None:
    say("for ever")
    threading.Event().wait()
