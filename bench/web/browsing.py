"""Looks at the server as browsers do: pages one after the other, and live updates by many at once."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parent.parent.parent
_START_SECONDS = 60.0


@dataclass
class Served:
    """A running server: where, and its process, which tells how many statements it has asked."""

    port: int
    process: "subprocess.Popen[str]" = field(repr=False)
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def get(self, address: str) -> tuple[int, str, float]:
        """The status, the body and the milliseconds that it took, over a connection that is kept."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        began = time.perf_counter()
        self._connection.request("GET", address, headers={"Accept": "text/html"})
        answer = self._connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
        return answer.status, body, (time.perf_counter() - began) * 1000

    def page(self, address: str) -> str | None:
        """The HTML of a page; None for a redirect, what is no page, or an error, which is told."""
        status, body, _ = self.get(address)
        if status != 200:
            if status >= 400:
                print(f"{address}: expected a page, got status {status}", file=sys.stderr)
            return None
        return body

    def asked(self) -> dict[str, Any]:
        """How many statements the server has asked by now."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        while not (line := self.process.stdout.readline()).startswith("{"):
            if not line:
                raise SystemExit("penstock web: expected it to go on, but it ended")
        return dict(json.loads(line))


@contextlib.contextmanager
def served(url: str) -> Iterator[Served]:
    """`penstock web` in a process of its own, on a port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([sys.executable, "-m", "bench.web.served", "--port", str(port)], cwd=_ROOT,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                                   env={**os.environ, "PENSTOCK_URL": url})
        try:
            server = Served(port, process)
            _wait(server, errors)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def _wait(server: Served, errors: IO[str]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
            return
        time.sleep(0.05)
    errors.seek(0)
    raise SystemExit(f"penstock web: expected it to answer within {_START_SECONDS:g} s, got:\n{errors.read()[-3000:]}")


class Browser:
    """One that looks at a page and has it renewed: a GET of the page, then a connection for its events."""

    def __init__(self, port: int, address: str) -> None:
        self.received = 0
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        self._socket.sendall(f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
                             f"\r\n".encode())
        self._socket.setblocking(False)

    def read(self) -> None:
        """Take what has come; count the events."""
        with contextlib.suppress(BlockingIOError):
            while text := self._socket.recv(1 << 16):
                self.received += text.count(b"data:")

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def watching(port: int, browsers: int, page: str = "/") -> Iterator[list[Browser]]:
    """So many open browsers, all on one page."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(browsers):
            browser = Browser(port, f"/live?of={page}")
            stack.callback(browser.close)
            opened.append(browser)
        yield opened
