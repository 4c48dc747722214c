"""Runs arms: each is a process of its own that prints one line of JSON when it is done."""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from bench.resident import Watch

ROOT = Path(__file__).parent.parent
OURS = (sys.executable, "-m", "bench.ours")
RAW = (sys.executable, "-m", "bench.raw")
_MOST_SECONDS = 1800


def arm(command: Sequence[str], *arguments: object, watch: bool = False) -> dict[str, Any]:
    """Run an arm and return what it says; with `watch`, `peak_mb` is the most memory that its processes took."""
    with tempfile.TemporaryFile("w+") as errors:
        with (_started(command, arguments, errors) as process,
              Watch(process.pid) if watch else contextlib.nullcontext() as seen):
            try:
                output, _ = process.communicate(timeout=_MOST_SECONDS)
            except BaseException:
                process.kill()
                raise
        said = _said(process, output, errors)
        return said | {"peak_mb": round(seen.peak_mb, 1)} if seen else said


@contextlib.contextmanager
def serving(command: Sequence[str], *arguments: object) -> Iterator[dict[str, Any]]:
    """Have a worker serve. What it says in the end is in the dictionary after the block."""
    said: dict[str, Any] = {}
    with tempfile.TemporaryFile("w+") as errors, _started(command, arguments, errors) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            process.kill()
            process.wait()
            raise SystemExit(f"{_name(process)}: expected a worker that is ready, got none\n{_tail(errors)}")
        try:
            yield said
        except BaseException:
            process.kill()
            raise
        output, _ = process.communicate(timeout=60)
        said.update(_said(process, output, errors))


def _started(command: Sequence[str], arguments: Sequence[object], errors: IO[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen([*command, *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=errors, text=True)


def _said(process: "subprocess.Popen[str]", output: str, errors: IO[str]) -> dict[str, Any]:
    lines = output.strip().splitlines()
    if process.returncode or not lines:
        raise SystemExit(f"{_name(process)}: expected a result, got exit status {process.returncode}\n{_tail(errors)}")
    return dict(json.loads(lines[-1]))


def _name(process: "subprocess.Popen[str]") -> str:
    assert isinstance(process.args, list)
    return " ".join(str(part) for part in process.args[1:5])


def _tail(errors: IO[str]) -> str:
    errors.seek(0)
    return "".join(errors.readlines()[-30:])


def median(rates: Sequence[float]) -> float:
    """The one in the middle: others share the machine, so neither the best nor the mean says much."""
    return statistics.median(rates)
