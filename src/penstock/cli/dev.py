"""`penstock dev`: a worker and the dashboard for whoever writes an app; both begin again when a file changes.

This process imports no app: one that cannot be imported ends a child, and the next change starts it again. The children
have sessions of their own, so that Ctrl-C reaches this process alone, which then ends them in good order.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType

import click

from penstock.cli import completing
from penstock.cli.exits import AGAIN
from penstock.domain.errors import ConfigurationError

_GRACE_SECONDS = 5.0
_KILL_SECONDS = 15.0
"""A worker that was asked to stop needs more than its grace, since it settles what it cut off."""
_LOOK_MS = 200
_SUFFIXES = (".py", ".toml", ".html", ".sql")
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Child:
    """`penstock …` in a process of its own, started again as often as is wanted."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self._name = name
        self._command = [sys.executable, "-m", "penstock.cli.tied", *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A pipe that nobody writes to: it closes with this process, however that ends, and so ends the child.
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)

    def look(self) -> None:
        """Say so if it has ended by itself; start it again where it asks for that."""
        if self._process is None or (code := self._process.poll()) is None:
            return
        self._gone(self._process)
        if code == AGAIN:
            self.start()
        else:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            _say(f"the {self._name} {how}; it is started again when a file changes")

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def stopped(self, deadline: float) -> None:
        """Wait until it has ended; it is killed when its time is over."""
        process = self._process
        if process is None:
            return
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._gone(process)

    def _gone(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        process.stdin.close()
        self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()


@click.command()
@click.option("--queue", "queues", multiple=True, metavar="NAME=SLOTS", shell_complete=completing.queues,
              help="A queue and its number of slots, as for `penstock worker`; may be repeated.")
@click.option("--port", default=8321, show_default=True, help="The dashboard's port on this machine; 0: any that is"
                                                              " free.")
@click.option("--no-web", is_flag=True, help="Without the dashboard.")
@click.option("--watch", "folders", multiple=True, type=click.Path(exists=True, path_type=Path), metavar="PATH",
              help="A folder or file to watch; may be repeated. Without it: this folder and all below.")
@click.pass_context
def dev(context: click.Context, queues: tuple[str, ...], port: int, no_web: bool, folders: tuple[Path, ...]) -> None:
    """Run a worker and the dashboard, and both again whenever a file of the app changes. Ctrl-C ends all of it."""
    try:
        from watchfiles import Change, DefaultFilter, watch
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"`penstock dev` needs {error.name}: pip install 'penstock[web]'") from None
    app = context.find_root().obj
    named = ["--app", app] if app else []
    children = [Child("worker", [*named, "worker", "--grace", f"{_GRACE_SECONDS:g}",
                                 *(f"--queue={each}" for each in queues)])]
    if not no_web:
        children.append(Child("dashboard", [*named, "web", "--port", str(port)]))
    usual = DefaultFilter()

    def of_the_app(change: Change, path: str) -> bool:
        return path.endswith(_SUFFIXES) and usual(change, path)

    over = threading.Event()  # only looked at by this thread, never waited for: a signal's handler may set it

    def asked(number: int, frame: FrameType | None) -> None:
        if over.is_set():
            for child in children:
                child.kill()
        over.set()

    before = {name: signal.signal(name, asked) for name in (getattr(signal, each) for each in _SIGNALS)}
    begun = False
    try:
        for changes in watch(*(folders or (Path.cwd(),)), watch_filter=of_the_app, stop_event=over,
                             rust_timeout=_LOOK_MS, yield_on_timeout=True, raise_interrupt=False):
            if begun and changes:
                _say(f"{_named(path for _, path in changes)} changed")
                _stop(children)
            if changes or not begun:  # not before it is watched what they are begun from
                begun = True
                for child in children:
                    child.start()
            for child in children:
                child.look()
    finally:
        _stop(children)
        for name, handler in before.items():
            signal.signal(name, handler)


def _stop(children: list[Child]) -> None:
    """Ask all of them at once, then wait for each."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + _KILL_SECONDS
    for child in children:
        child.stopped(deadline)


def _named(paths: Iterable[str]) -> str:
    names = sorted({Path(path).name for path in paths})
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _say(text: str) -> None:
    click.echo(f"{click.style('dev:', fg='cyan')} {text}", err=True)
