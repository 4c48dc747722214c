"""The course of the demo: start everything, synchronise three times, read back, tell, and leave nothing running."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import FrameType
from urllib.parse import quote

import click
from rich.console import Console

from penstock.app import Penstock
from penstock.cli.demo import source
from penstock.cli.demo.compare import differences
from penstock.cli.demo.report import document, table
from penstock.cli.demo.runs import Runs, edition
from penstock.cli.demo.server import scim_server
from penstock.cli.demo.worker import WorkerProcess
from penstock.cli.documents import say_json
from penstock.store.sqlite.file import path_of

_MOST_LINES = 10


def show(*, people: int, groups: int, store_url: str | None, folder: Path | None, seed: int, json: bool) -> bool:
    """Run the demo; return whether the destination equals the source in the end."""
    console = Console(stderr=json, highlight=False, markup=False, soft_wrap=True)
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        within = _made(folder) if folder else Path(stack.enter_context(TemporaryDirectory(prefix="penstock-demo-")))
        hr = within / "penstock-demo-hr.db"
        app = stack.enter_context(Penstock(_absolute(store_url or f"sqlite:///{quote(str(within))}/penstock.db")))
        store = app.store  # opened first, so that a wrong URL is known before anything is started
        destination = stack.enter_context(scim_server(within / "scim-server.log", console.print))
        worker = WorkerProcess(within, {"HR_DATABASE": f"sqlite:///{hr}", "PENSTOCK_URL": app.settings.url,
                                        "SCIM_URL": destination.url, "SCIM_TOKEN": destination.token})
        if not store.migrates_itself:
            worker.migrate()
        source.generate(hr, people=people, groups=groups, seed=seed, edition=edition(store))
        stack.enter_context(worker)
        worker.wait_until_ready(store)
        runs = Runs(app, worker, destination, source.subjects(hr), console, time.monotonic() + 300 + people / 10)
        console.print(f"{people:,} people in {groups:,} groups; a worker (process {worker.pid}); a SCIM server at"
                      f" {destination.url}; {f'everything in {within}' if folder else 'all of it temporary'}.")
        runs.synchronise("first")
        changed = source.change(hr, seed=seed)
        console.print(f"Now one person in a hundred changes: {changed.renamed} names, {changed.readdressed} e-mail"
                      f" addresses, {changed.moved} moves from one group to another.")
        runs.synchronise("1% changed")
        runs.synchronise("nothing changed")
        differing = differences(hr, destination)
    _tell(console, runs, differing)
    if json:
        say_json(document(runs.results, equal=not differing))
    return not differing


def _tell(console: Console, runs: Runs, differing: list[str]) -> None:
    console.print(table(runs.results))
    for line in [*runs.troubles, *differing][:_MOST_LINES]:
        console.print(line, style="red")
    console.print("Read back over HTTP, the destination equals the source." if not differing else
                  f"Read back over HTTP, the destination differs from the source in {len(differing):,} places.")


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise click.ClickException(f"--dir {folder}: {error.strerror}") from error
    return folder.absolute()


def _absolute(url: str) -> str:
    """The URL for a process with another current folder."""
    return f"sqlite:///{quote(str(path_of(url)))}" if url.startswith("sqlite:") else url


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a polite request to end, or a closed terminal, unwind what the demo started, as Ctrl-C does."""

    def asked(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
