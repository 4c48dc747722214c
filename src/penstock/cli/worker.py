"""`penstock worker`: serves queues until it is asked to stop."""

import logging
import os
import queue
import signal
import time
from types import FrameType

import click

from penstock.cli import completing
from penstock.cli.finding import find_app
from penstock.cli.naming import note_queues
from penstock.domain.errors import ConfigurationError
from penstock.domain.names import name_fault
from penstock.worker import logs
from penstock.worker.timebox import host_window

_EXHAUSTED = 75  # EX_TEMPFAIL of sysexits.h: start me again


@click.command()
@click.option("--queue", "queues", multiple=True, metavar="NAME=SLOTS", shell_complete=completing.queues,
              help="A queue and its number of slots; may be repeated. Without it: every queue of the app.")
@click.option("--max-runtime", type=float, metavar="SECONDS",
              help="Settle everything and exit before so many seconds have passed since the start, as on a host that"
                   " ends its processes after a while.")
@click.option("--headroom", type=float, metavar="SECONDS",
              help="Begin nothing more when only so many of them are left; without it, a fifth.")
@click.option("--grace", type=float, metavar="SECONDS",
              help="How long the host lets pass between SIGTERM and SIGKILL, if not what `grace_seconds` says.")
@click.option("--quiet", is_flag=True, help="Log warnings only.")
@click.pass_context
def worker(context: click.Context, queues: tuple[str, ...], max_runtime: float | None, headroom: float | None,
           grace: float | None, quiet: bool) -> None:
    """Run jobs and syncs. SIGTERM or SIGINT stop it softly; a second one stops it at once."""
    began = time.monotonic()  # what importing the app takes is the host's time too
    window = host_window(max_runtime, headroom)
    if grace is not None and not 0 < grace < float("inf"):
        raise ConfigurationError(f"grace: expected more than 0 seconds, got {grace:g}")
    logs.install(logging.WARNING if quiet else logging.INFO)
    with find_app(context) as app:
        slots = read_slots(queues)
        note_queues(app, slots or ())
        serving = app.worker(slots, window=window, began=began, grace_seconds=grace)
        asked_by: queue.SimpleQueue[int] = queue.SimpleQueue()  # unlike an event, it may be used in a signal handler

        def asked(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, at_once)
            signal.signal(signal.SIGINT, at_once)
            asked_by.put(number)
            serving.hurry()

        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, asked)
        serving.when_exhausted = serving.when_over = lambda: asked_by.put(0)
        serving.start()
        asked_by.get()
        serving.stop()
        exhausted, cut_off = serving.exhausted.is_set(), serving.over.is_set() and serving.given_back
    if exhausted or cut_off:  # threads that do not end would keep an ordinary exit waiting
        logging.shutdown()
        os._exit(_EXHAUSTED if exhausted else 0)


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
