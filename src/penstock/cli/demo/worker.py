"""The demo's worker: `penstock worker` in a process of its own, as in real life."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import click

from penstock.cli.demo.memory import PeakMemory
from penstock.cli.demo.server import tail
from penstock.store.port import Store

APP = "penstock.cli.demo.directory:app"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


def penstock(*arguments: str) -> list[str]:
    """The command that runs `penstock` on the demo's app. Safe from modules in whatever folder it runs in (-P)."""
    return [sys.executable, "-P", "-m", "penstock.cli", "--app", APP, *arguments]


class WorkerProcess:
    """A worker with the environment that directory.py reads. It is stopped softly, and killed if that takes long."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._log = folder / "worker.log"
        self._environment = {**os.environ, **environment}

    def migrate(self) -> None:
        """Run `penstock migrate`, which a store on PostgreSQL needs."""
        done = subprocess.run(penstock("migrate"), cwd=self._log.parent, env=self._environment, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"penstock migrate ended with exit code {done.returncode}:"
                                       f" {done.stderr.strip()}")

    def __enter__(self) -> Self:
        with self._log.open("wb") as output:
            # In a session of its own, so that Ctrl-C reaches the demo alone, which then stops all in good order.
            self._process = subprocess.Popen(penstock("worker", "--quiet"), cwd=self._log.parent, stdout=output,
                                             stderr=output, stdin=subprocess.DEVNULL, env=self._environment,
                                             start_new_session=True)
        self.memory = PeakMemory(self._process.pid)
        return self

    def __exit__(self, *exception: object) -> None:
        self.memory.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise, with the end of what it printed, if the worker has died."""
        if (code := self._process.poll()) is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise click.ClickException(f"the worker {how}; it said:\n{tail(self._log) or '(nothing)'}")

    def wait_until_ready(self, store: Store) -> None:
        """Wait until the worker has registered, so that no run is charged with the start of a process."""
        deadline = time.monotonic() + _START_SECONDS
        while (row := store.read(lambda tx: tx.row("workers_alive"))) is None or not row[0]:
            self.check()
            if time.monotonic() > deadline:
                raise click.ClickException(f"the worker did not start within {_START_SECONDS:g} s; it said:\n"
                                           f"{tail(self._log) or '(nothing)'}")
            time.sleep(_POLL_SECONDS)
