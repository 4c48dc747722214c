"""How far something long is: a live bar with its rate on a terminal, else a line now and then; always on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_LINE_EVERY_SECONDS = 10.0


class Told(Protocol):
    """Called with how many are done by now, all in all."""

    def __call__(self, done: int) -> None: ...


@contextmanager
def counting(title: str, total: int | None = None) -> Iterator[Told]:
    """Tell how far it is while the block runs; a bar with the time left where the `total` is known."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"),
                      TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), console=Console(stderr=True),
                      transient=True) as progress:
            bar, began = progress.add_task(title, total=total, rate=""), time.monotonic()
            yield lambda done: progress.update(
                bar, completed=done, rate=f"{done / max(time.monotonic() - began, 0.001):,.0f}/s")
        return
    told_at = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _LINE_EVERY_SECONDS:
            told_at = time.monotonic()
            of = "" if total is None else f" of {total:,}"
            print(f"{title}: {done:,}{of}", file=sys.stderr, flush=True)

    yield tell
