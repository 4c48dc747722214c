"""`penstock demo`: a directory of people, synchronised into a real SCIM server before your eyes.

Everything is real and in processes of its own: the source is a database, the destination a SCIM server that
somebody else wrote, and the worker `penstock worker` on directory.py, the very file of examples/directory. Whatever
happens, nothing is left running; without `--dir` nothing is left lying either.
"""

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
from penstock.cli.demo.report import as_json, table
from penstock.cli.demo.runs import Runs, edition
from penstock.cli.demo.server import scim_server
from penstock.cli.demo.worker import WorkerProcess
from penstock.store.sqlite.file import path_of

_MOST_LINES = 10


@click.command()
@click.option("--people", type=click.IntRange(min=1), default=2000, show_default=True, help="How many people.")
@click.option("--groups", type=click.IntRange(min=1), default=40, show_default=True, help="How many groups.")
@click.option("--store", "store_url", metavar="URL", help="Penstock's own store: sqlite:///file.db or postgresql://…,"
              " best one for the demo alone. Without it: a SQLite file in the demo's folder.")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Where databases and logs go, to be looked at later. Without it: a temporary folder.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other seeds make other people.")
@click.option("--json", "json", is_flag=True, help="Print the result as JSON, on the last line.")
def demo(people: int, groups: int, store_url: str | None, folder: Path | None, seed: int, json: bool) -> None:
    """Synchronise a directory of people into a real SCIM server.

    Three times: all of it, after 1% has changed, and once more without any change. Exits with 0 only if the
    destination, read back over HTTP, then equals the source.
    """
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
        click.echo(as_json(runs.results, equal=not differing))
    sys.exit(1 if differing else 0)


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
