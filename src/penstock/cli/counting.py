"""How far something long is: a live bar with its rate and the time left on a terminal, else a line now and then.

All of it goes to stderr: what is printed on stdout is the answer, and may be going into a file meanwhile.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LINE_EVERY_SECONDS = 10.0


class Told(Protocol):
    """Called with how many are done by now, all in all."""

    def __call__(self, done: int) -> None: ...


@contextmanager
def counting(title: str, total: int | None = None) -> Iterator[Told]:
    """Tell how far it is while the block runs; a bar with the time left where the `total` is known."""
    if sys.stderr.isatty():
        with bar(console_on_stderr(), transient=True) as progress:
            task, began = progress.add_task(title, total=total, said=""), time.monotonic()
            yield lambda done: progress.update(task, completed=done, said=rate(done, began, ""))
        return
    told_at = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= LINE_EVERY_SECONDS:
            told_at = time.monotonic()
            of = "" if total is None else f" of {total:,}"
            click.echo(f"{title}: {done:,}{of}", err=True)

    yield tell


def bar(console: "Console", *, transient: bool = False) -> "Progress":
    """A bar whose tasks have a field `said`. What is printed meanwhile goes where it would go without it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                    TextColumn("{task.fields[said]}"), TimeRemainingColumn(elapsed_when_finished=True), console=console,
                    transient=transient, disable=not console.is_terminal,
                    redirect_stdout=console.is_terminal and sys.stdout.isatty())


def rate(done: int, began: float, what: str) -> str:
    """So many a second since a moment of the monotonic clock: `1,200/s` or `1,200 records/s`."""
    return f"{done / max(time.monotonic() - began, 0.001):,.0f}{f' {what}' if what else ''}/s"


def console_on_stderr() -> "Console":
    """Stderr as it is: FORCE_COLOR colours it, and does not make a terminal of a file."""
    from rich.console import Console

    context = click.get_current_context(silent=True)
    refused = context is not None and context.color is False
    return Console(stderr=True, force_terminal=sys.stderr.isatty(), no_color=True if refused else None,
                   highlight=False, markup=False)
