"""`penstock worker`: serves queues until it is asked to stop."""

import logging
import os
import queue
import signal
from types import FrameType

import click

from penstock.cli.finding import find_app
from penstock.domain.errors import ConfigurationError
from penstock.domain.names import name_fault
from penstock.worker import logs

_EXHAUSTED = 75  # EX_TEMPFAIL of sysexits.h: start me again


@click.command()
@click.option("--queue", "queues", multiple=True, metavar="NAME=SLOTS",
              help="A queue and its number of slots; may be repeated. Without it: every queue of the app.")
@click.option("--quiet", is_flag=True, help="Log warnings only.")
@click.pass_context
def worker(context: click.Context, queues: tuple[str, ...], quiet: bool) -> None:
    """Run jobs and syncs. SIGTERM or SIGINT stop it softly; a second one stops it at once."""
    logs.install(logging.WARNING if quiet else logging.INFO)
    with find_app(context) as app:
        serving = app.worker(read_slots(queues))
        asked_by: queue.SimpleQueue[int] = queue.SimpleQueue()  # unlike an event, it may be used in a signal handler

        def asked(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, at_once)
            signal.signal(signal.SIGINT, at_once)
            asked_by.put(number)

        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, asked)
        serving.when_exhausted = lambda: asked_by.put(0)
        serving.start()
        asked_by.get()
        serving.stop()
        exhausted = serving.exhausted.is_set()
    if exhausted:
        os._exit(_EXHAUSTED)  # threads that do not end would keep an ordinary exit waiting


def at_once(number: int, frame: FrameType | None) -> None:
    """End this process without a word more: its jobs are rescued when its lease runs out."""
    os._exit(128 + number)


def read_slots(queues: tuple[str, ...]) -> dict[str, int] | None:
    """The slots that `--queue` gives, by queue; None where it was not given. Raises `ConfigurationError`."""
    found: dict[str, int] = {}
    faults = []
    for text in queues:
        name, _, count = text.partition("=")
        if fault := name_fault("queue", name):
            faults.append(f"--queue {text}: {fault}")
        elif not (count or "1").isdigit() or int(count or "10") < 1:
            faults.append(f"--queue {text}: expected NAME=SLOTS with at least 1 slot")
        else:
            found[name] = int(count or "10")
    if faults:
        raise ConfigurationError(faults)
    return found or None
