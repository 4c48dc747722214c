"""Processes of a test's own: started from a piece of Python, spoken with by lines, and never left behind."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

DEADLINE_SECONDS = 30.0
_ROOT = Path(__file__).parents[1]


class Child:
    """A process whose lines are read as they come; a line that does not come in time fails the test."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        self.process = subprocess.Popen(
            arguments, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**inherited, "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}", "PYTHONUNBUFFERED": "1",
                 **environment})
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self, containing: str = "") -> str:
        """The next line that contains a text."""
        while True:
            try:
                line = self._lines.get(timeout=DEADLINE_SECONDS)
            except queue.Empty:
                raise AssertionError(f"waited in vain for {containing!r} after {self.said}") from None
            if line is None:
                raise AssertionError(f"ended without {containing!r} after {self.said}")
            self.said.append(line)
            if containing in line:
                return line

    def rest(self) -> list[str]:
        """What it says until it ends."""
        lines = []
        while (line := self._lines.get(timeout=DEADLINE_SECONDS)) is not None:
            lines.append(line)
        return lines

    def tell(self, text: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None
                stream.close()


def ended(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextlib.contextmanager
def python(code: str, *arguments: str, folder: Path, **environment: str) -> Iterator[Child]:
    """Run a piece of Python; `arguments` are its `sys.argv[1:]`."""
    child = Child([sys.executable, "-c", code, *arguments], folder, environment)
    try:
        yield child
    finally:
        child.close()


@contextlib.contextmanager
def penstock(*arguments: str, folder: Path, **environment: str) -> Iterator[Child]:
    """Run the command line."""
    child = Child([sys.executable, "-m", "penstock.cli", *arguments], folder, environment)
    try:
        yield child
    finally:
        child.close()
