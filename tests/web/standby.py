"""A primary and a hot standby that streams from it: two real servers, of the wheel that the other tests use."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import until

_POSITION = "select pg_current_wal_insert_lsn()::text"
_REPLAYED = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"


@dataclass
class Standby:
    """`primary` and `url` are where the two are reached. The standby may be stopped and started, and held back."""

    primary: str
    server: Any
    folder: Path
    url: str = field(init=False)
    runs: bool = False

    def __post_init__(self) -> None:
        self.url = f"postgresql://postgres:@/postgres?host={self.folder}"

    def make(self) -> None:
        """A copy of the primary as it is, which will stream what comes."""
        with psycopg.connect(self.primary) as connection:
            host = connection.info.host
        self._run("pg_basebackup", "-D", f"{self.folder}/data", "-R", "-X", "stream", "-c", "fast", "-h", host, "-U",
                  "postgres")

    def start(self) -> None:
        options = f"-h '' -k {self.folder} -c max_standby_streaming_delay=0"
        self._run("pg_ctl", "-w", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "start")
        self.runs = True
        self.level()

    def stop(self) -> None:
        if self.runs:
            self._run("pg_ctl", "-w", "-m", "immediate", "-D", f"{self.folder}/data", "stop")
            self.runs = False

    def hold(self) -> None:
        """Replay nothing more for now."""
        self._ask(self.url, "select pg_wal_replay_pause()::text")
        until("it stands", lambda: self._ask(self.url, "select pg_get_wal_replay_pause_state()") == "paused")

    def go_on(self) -> None:
        self._ask(self.url, "select pg_wal_replay_resume()::text")
        self.level()

    def level(self) -> None:
        """Wait until it has replayed all that was written."""
        position = self._ask(self.primary, _POSITION)
        until("the standby has it", lambda: self._ask(self.url, _REPLAYED, position))

    def _ask(self, url: str, query: str, *values: Any) -> Any:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(query, values or None).fetchone()
        assert row is not None
        return row[0]

    def _run(self, command: str, *arguments: str) -> None:
        user = {} if self.server.system_user is None else {"user": self.server.system_user}
        done = subprocess.run([self.server.bin_path / command, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE if command != "pg_ctl" else None,
                              text=True, timeout=120, check=False, cwd="/", **user)
        assert done.returncode == 0, done.stderr


@contextmanager
def standby(server: Any, folder: Path) -> Iterator[Standby]:
    """A standby of a server of the wheel, made and begun; stopped in the end."""
    found = Standby(server.get_uri(), server, folder)
    found.make()
    try:
        found.start()
        yield found
    finally:
        found.stop()
