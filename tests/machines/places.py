"""Machines of a test: places from which a PostgreSQL is reached over TCP, and which can be cut off from it.

A `Forwarder` stands before the server. Where the operating system lets us, each machine is a network namespace on a
bridge, and cut off by taking its link out of the bridge; elsewhere it is a process with a forwarder of its own, which
stops to forward. In either way nobody is told: connections stay open, and nothing comes through them.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from tests.processes import DEADLINE_SECONDS, Child

APP = "tests.machines.app"
_ROOT = Path(__file__).parents[2]


class Forwarder:
    """Takes TCP connections and passes what they say on to a PostgreSQL, while it `flows`."""

    def __init__(self, server: str, host: str = "127.0.0.1") -> None:
        self._server = conninfo_to_dict(server)
        self._host = host
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))
        self._thread.start()
        assert self._ready.wait(DEADLINE_SECONDS)

    @property
    def url(self) -> str:
        user = quote(str(self._server.get("user") or "postgres"))
        password = f":{quote(str(self._server['password']))}" if self._server.get("password") else ""
        return f"postgresql://{user}{password}@{self._host}:{self._port}/{self._server['dbname']}"

    async def _run(self) -> None:
        self._flows, self._over = asyncio.Event(), asyncio.Event()
        self._flows.set()
        self._pumps: set[asyncio.Task[None]] = set()
        listening = await asyncio.start_server(self._accepted, self._host, 0)
        self._port = listening.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        listening.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        host, port = str(self._server.get("host") or "127.0.0.1"), int(str(self._server.get("port") or 5432))
        opened = (asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}") if host.startswith("/")
                  else asyncio.open_connection(host, port))
        far_reader, far_writer = await opened
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.ensure_future(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                while some := await source.read(65536):
                    await self._flows.wait()
                    sink.write(some)
                    await sink.drain()
                await self._flows.wait()
            finally:
                sink.close()

    def cut(self) -> None:
        self._now(self._flows.clear)

    def restore(self) -> None:
        self._now(self._flows.set)

    def _now(self, change: Callable[[], object]) -> None:
        """Returns when it is so, even for what is on its way."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(change)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(DEADLINE_SECONDS)
        self._loop.close()


class Machine(Protocol):
    name: str

    @property
    def url(self) -> str: ...

    @property
    def command(self) -> list[str]: ...

    def cut(self) -> None: ...

    def restore(self) -> None: ...


@dataclass
class Behind:
    """A process behind a forwarder of its own."""

    name: str
    forwarder: Forwarder
    command: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.forwarder.url

    def cut(self) -> None:
        self.forwarder.cut()

    def restore(self) -> None:
        self.forwarder.restore()


@contextlib.contextmanager
def behind_forwarders(server: str, count: int) -> Iterator[list[Machine]]:
    with contextlib.ExitStack() as stack:
        machines: list[Machine] = []
        for number in range(count):
            forwarder = Forwarder(server)
            stack.callback(forwarder.close)
            machines.append(Behind(f"machine{number}", forwarder))
        yield machines


@dataclass
class Namespace:
    """A network of its own, with one link to the bridge."""

    name: str
    url: str
    bridge: str
    namespace: str
    link: str

    @property
    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace]

    def cut(self) -> None:
        ip("link", "set", self.link, "nomaster")

    def restore(self) -> None:
        ip("link", "set", self.link, "master", self.bridge)


def ip(*words: str) -> None:
    """Raises `OSError` where it cannot be, or may not."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def in_namespaces(server: str, count: int) -> Iterator[list[Machine]]:
    """Raises `OSError` where namespaces cannot be made."""
    mark = f"{os.getpid() % 100_000}"
    bridge, net = f"psbr{mark}", f"10.231.{os.getpid() % 256}"
    with contextlib.ExitStack() as stack:
        ip("link", "add", bridge, "type", "bridge")
        stack.callback(ip, "link", "del", bridge)
        ip("addr", "add", f"{net}.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        forwarder = Forwarder(server, f"{net}.1")
        stack.callback(forwarder.close)
        machines: list[Machine] = []
        for number in range(count):
            namespace, link = f"ps{mark}n{number}", f"ps{mark}v{number}"
            ip("netns", "add", namespace)
            stack.callback(ip, "netns", "del", namespace)
            ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            ip("link", "set", link, "master", bridge)
            ip("link", "set", link, "up")
            for words in (("addr", "add", f"{net}.{number + 2}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                          ("link", "set", "lo", "up")):
                ip("-n", namespace, *words)
            machines.append(Namespace(f"machine{number}", forwarder.url, bridge, namespace, link))
        yield machines


@contextlib.contextmanager
def worker(machine: Machine, folder: Path, *, lease_seconds: float, clock_shift_seconds: float = 0) -> Iterator[Child]:
    """A worker on a machine whose wall clock is off by so much."""
    paths = [str(_ROOT / "src"), str(_ROOT)]
    if clock_shift_seconds:
        shifted = folder / f"clock of {machine.name}"
        shifted.mkdir()
        (shifted / "sitecustomize.py").write_text(
            "import time\n"
            f"time.time = lambda true=time.time: true() + {clock_shift_seconds}\n"
            f"time.time_ns = lambda true=time.time_ns: true() + {round(clock_shift_seconds * 1e9)}\n")
        paths.insert(0, str(shifted))
    child = Child([*machine.command, sys.executable, "-m", "penstock.cli", "--app", APP, "worker",
                   "--queue", "default=10", "--quiet"], folder,
                  {"PYTHONPATH": os.pathsep.join(paths), "PENSTOCK_URL": machine.url, "MACHINE": machine.name,
                   "LEDGER": str(folder), "PENSTOCK_LEASE_SECONDS": str(lease_seconds), "PENSTOCK_POLL_SECONDS": "0.2"})
    try:
        yield child
    finally:
        child.close()
