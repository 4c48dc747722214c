"""The demo's runs: asked for as a user would, served by the worker alone, watched and measured from here."""

import time
from itertools import count

import click
from rich.console import Console

from penstock.app import Penstock
from penstock.cli.demo.report import Measured, measured
from penstock.cli.demo.server import Destination
from penstock.cli.demo.worker import WorkerProcess
from penstock.cli.progress import RunProgress
from penstock.store.port import Store
from penstock.sync.state.runs import latest_runs

SYNC = "directory"


class Runs:
    """The runs of the demo, one after another, each over all groups."""

    def __init__(self, app: Penstock, worker: WorkerProcess, destination: Destination, subjects: list[tuple[str, str]],
                 console: Console, deadline: float) -> None:
        self._app = app
        self._worker = worker
        self._destination = destination
        self._subjects = subjects
        self._console = console
        self._deadline = deadline
        self.results: list[Measured] = []
        self.troubles: list[str] = []

    def synchronise(self, title: str) -> None:
        """Request every group, follow the worker's runs to their end, and note what they did."""
        self._worker.memory.reset()
        began = time.monotonic()
        self._app.request([{"sync": SYNC, "subject": group_id, "account": customer, "priority": 0, "reason": title}
                           for group_id, customer in self._subjects])
        progress = RunProgress(self._app.store, SYNC, [group_id for group_id, _ in self._subjects], self._console)
        runs = progress.follow(title, self._check)
        self.results.append(measured(title, runs, seconds=time.monotonic() - began,
                                     peak_mb=self._worker.memory.peak_mb()))
        self.troubles += [f"{title}: {run.subject} {run.status}: {run.error}" for run in runs if run.error]

    def _check(self) -> None:
        self._worker.check()
        self._destination.check()
        if time.monotonic() > self._deadline:
            raise click.ClickException("the demo took far longer than it should, and was given up; look at"
                                       " worker.log and scim-server.log with --dir FOLDER")


def edition(store: Store) -> str:
    """An ending for ids that the store does not know yet: what earlier demos wrote there is about another server."""
    for number in count(1):
        ending = "" if number == 1 else f"-{number}"
        runs, requested = latest_runs(store, SYNC, [f"doors-1{ending}"])
        if not runs and f"doors-1{ending}" not in requested:
            return ending
    raise AssertionError
