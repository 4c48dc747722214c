"""Follows runs until they have settled: a live bar on a terminal, a line now and then elsewhere."""

import threading
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from penstock.store.port import Store
from penstock.sync.runs import RunRow, latest_runs

_EVERY_SECONDS = 0.1
_ENDED = ("succeeded", "failed", "cancelled")


class RunProgress:
    """The newest run of each of some subjects; `follow` returns when none of them is live or asked for."""

    def __init__(self, store: Store, sync: str, subjects: list[str], console: Console) -> None:
        self._store = store
        self._sync = sync
        self._subjects = subjects
        self._console = console
        self._changed = threading.Event()

    def follow(self, title: str = "", check: Callable[[], None] = lambda: None) -> list[RunRow]:
        """Wait for the runs, showing how they go; return them in the order of the subjects.

        `check` is called now and then, and raises where it is no use waiting any longer.
        """
        watch = self._store.watch(self._changed.set)
        progress = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                            TextColumn("{task.fields[counts]}"), TimeElapsedColumn(), console=self._console,
                            disable=not self._console.is_terminal)
        bar = progress.add_task(title or self._sync, total=len(self._subjects), counts="")
        try:
            with progress:
                while True:
                    runs, open_subjects = latest_runs(self._store, self._sync, self._subjects)
                    ended = [run for run in runs if run.status in _ENDED and run.subject not in open_subjects]
                    progress.update(bar, completed=len(ended), counts=_counts(runs))
                    if len(ended) == len(self._subjects):
                        return ended
                    check()
                    self._changed.clear()
                    self._changed.wait(_EVERY_SECONDS)
        finally:
            watch.close()


def _counts(runs: list[RunRow]) -> str:
    waiting = next((f"waiting: {run.error}" for run in runs if run.status == "pending" and run.error), "")
    read, changed = sum(run.read for run in runs), sum(run.created + run.updated + run.deleted for run in runs)
    return f"{read:,} read, {changed:,} changed {waiting[:80]}"
