"""Follows runs until they have settled: a live bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console

from penstock.cli.counting import LINE_EVERY_SECONDS, bar, rate
from penstock.store.port import Store
from penstock.sync.state.runs import RunRow, latest_runs

_EVERY_SECONDS = 0.02
_SHARE = 5  # of the time, at most a fifth goes into looking
_ENDED = ("succeeded", "failed", "cancelled")


class RunProgress:
    """The newest run of each of some subjects; `follow` returns when none of them is live or asked for."""

    def __init__(self, store: Store, sync: str, subjects: list[str], console: Console) -> None:
        self._store = store
        self._sync = sync
        self._subjects = subjects
        self._console = console

    def follow(self, title: str = "", check: Callable[[], None] = lambda: None) -> list[RunRow]:
        """Wait for the runs, showing how they go; return them in the order of the subjects.

        `check` is called now and then, and raises where it is no use waiting any longer.
        """
        progress = bar(self._console)
        title, told_at = title or self._sync, time.monotonic()
        task, began = progress.add_task(title, total=len(self._subjects), said=""), told_at
        before = 0.0
        with progress:
            while True:
                asked_at = time.monotonic()
                runs, open_subjects = latest_runs(self._store, self._sync, self._subjects)
                # A run that ended before its subject was asked for again is history, and not to be counted.
                runs = [run for run in runs if run.status not in _ENDED or run.subject not in open_subjects]
                ended = [run for run in runs if run.status in _ENDED]
                progress.update(task, completed=len(ended), said=_counts(runs, began))
                if len(ended) == len(self._subjects):
                    return ended
                check()
                if progress.disable and asked_at - told_at > LINE_EVERY_SECONDS:
                    told_at = asked_at
                    self._console.print(f"{title}: {len(ended):,} of {len(self._subjects):,}, {_counts(runs, began)}")
                took = time.monotonic() - asked_at
                time.sleep(max(_EVERY_SECONDS, _SHARE * min(took, before)))  # one may have connected, or been held up
                before = took


def _counts(runs: list[RunRow], began: float) -> str:
    waiting = next((f", waiting: {run.error[:80]}" for run in runs if run.status == "pending" and run.error), "")
    read, changed = sum(run.read for run in runs), sum(run.created + run.updated + run.deleted for run in runs)
    return f"{read:,} read ({rate(read, began, '')}), {changed:,} changed{waiting}"
