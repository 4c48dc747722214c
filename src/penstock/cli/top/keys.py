"""Keys as they are pressed, without a return key: the terminal is put back as it was, whatever happens."""

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self


class Keys:
    """The keys of the terminal that is stdin. Ctrl-C stays what it is."""

    def __enter__(self) -> Self:
        self._number = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._number)
        tty.setcbreak(self._number)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        termios.tcsetattr(self._number, termios.TCSADRAIN, self._before)

    def pressed(self, seconds: float) -> str:
        """The next key within so many seconds; nothing where none came, `q` where the terminal has gone."""
        ready, _, _ = select.select([self._number], [], [], max(seconds, 0))
        if not ready:
            return ""
        try:
            return os.read(self._number, 1).decode("ascii", "replace").lower() or "q"
        except OSError:
            return "q"
