"""A program on a terminal of its own: keys are pressed, and what it shows is read, as a person would."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

DEADLINE_SECONDS = 60.0
_ROOT = Path(__file__).parents[1]
_OF_ANOTHER = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
_BEGUN = re.compile(rb"\x1b(\[[0-?]*[ -/]*)?$")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[=>()][A-Z0-9]?|\r")


class Terminal:
    """A process whose stdin, stdout and stderr are one terminal of `lines` by `columns`."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str], lines: int = 40,
                 columns: int = 120) -> None:
        self._own, their = pty.openpty()
        fcntl.ioctl(their, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(their)
        inherited = {name: value for name, value in os.environ.items()
                     if not name.startswith("PENSTOCK_") and name not in _OF_ANOTHER}
        self.process = subprocess.Popen(
            arguments, cwd=folder, stdin=their, stdout=their, stderr=their, start_new_session=True,
            env={**inherited, "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1",
                 "PYTHONPATH": f"{_ROOT / 'src'}{os.pathsep}{_ROOT}", **environment})
        self._their = their
        self.shown = ""
        """All that was shown so far, without what only moves or colours it."""
        self._kept = b""

    def press(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    def until(self, text: str) -> None:
        """Wait until a text is shown after what was waited for before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"waited in vain for {text!r} after {self.shown!r}")
        self.shown = self.shown[self.shown.index(text) + len(text):]

    def wait(self) -> int:
        """Its exit code; what it still shows meanwhile is read, or it could not end."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.process.poll() is None:
            self._read(0.05)
            assert time.monotonic() < deadline, f"it did not end after {self.shown!r}"
        while self._read(0):
            pass
        return self.process.returncode

    def modes(self) -> list[object]:
        """What the terminal is set to now."""
        return termios.tcgetattr(self._their)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._own], [], [], max(seconds, 0))
        if not ready:
            return False
        self._kept += os.read(self._own, 65536)
        whole = max(self._kept.rfind(b"\x1b"), 0) if _BEGUN.search(self._kept) else len(self._kept)
        self.shown += _ESCAPES.sub("", self._kept[:whole].decode("utf-8", "replace"))
        self._kept = self._kept[whole:]
        return True

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        os.close(self._own)
        os.close(self._their)


@contextlib.contextmanager
def terminal(*arguments: str, folder: Path, lines: int = 40, columns: int = 120, **environment: str
             ) -> Iterator[Terminal]:
    """Run `penstock …` on a terminal."""
    found = Terminal([sys.executable, "-m", "penstock.cli", *arguments], folder, environment, lines, columns)
    try:
        yield found
    finally:
        found.close()
