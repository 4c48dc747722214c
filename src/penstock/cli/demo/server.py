"""The demo's destination: the real scim2-server, in a process of its own on a loopback port."""

import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from penstock.cli.demo.environment import interpreter
from penstock.connectors import scim
from penstock.domain.errors import Unavailable
from penstock.domain.records import Calls

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_PORTS_TRIED = 3


@dataclass(frozen=True, slots=True)
class Destination:
    """A running SCIM service: its base URL and the token that it wants."""

    url: str
    token: str = field(repr=False)
    process: "subprocess.Popen[bytes]" = field(repr=False)
    log: Path = field(repr=False)

    def check(self) -> None:
        """Raise, with the end of what it printed, if the server has died."""
        if (code := self.process.poll()) is not None:
            raise click.ClickException(f"scim2-server ended with exit code {code}; it said:\n{tail(self.log)}")


@contextmanager
def scim_server(log: Path, say: Callable[[str], None]) -> Iterator[Destination]:
    """Run the server until the end of the `with` statement. What it prints goes to the file `log`."""
    python = interpreter(say)
    for _ in range(_PORTS_TRIED):
        destination = _started(python, log)
        try:
            if _answers(destination):
                yield destination
                return
        finally:
            _stop(destination.process)
    raise click.ClickException(f"scim2-server did not start; it said:\n{tail(log)}")


def _started(python: str, log: Path) -> Destination:
    with socket.socket() as probe:  # free at this moment; if somebody else takes it first, another is tried
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_urlsafe(16)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python, "-P", "-m", "scim2_server.testserver.cli", "--port", str(port), "--bearer-token", token],
            cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    return Destination(f"http://127.0.0.1:{port}/v2", token, process, log)


def _answers(destination: Destination) -> bool:
    """Wait until the server answers. Its token proves that it is ours; False if it has ended instead."""
    deadline = time.monotonic() + _START_SECONDS
    with scim.connect(destination.url, token=destination.token, timeout=_START_SECONDS) as client:
        while destination.process.poll() is None and time.monotonic() < deadline:
            try:
                client.offers(Calls())
                return True
            except Unavailable:
                time.sleep(_POLL_SECONDS)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path, most: int = 2000) -> str:
    """The end of what a process printed."""
    return log.read_text("utf-8", "replace")[-most:].strip() if log.exists() else ""
