"""Where in the user's code a statement or a call came from: the nearest frame that is of no library.

What is counted is the place in the bytecode, which costs less to ask for than the line; it is looked up afterwards.
"""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeVar

from penstock.domain.traces import CallSite

F = TypeVar("F", bound=Callable[..., Any])
Site = tuple[CodeType, int]
"""A function's code, and the place in its bytecode."""


class Declared(NamedTuple):
    """Where something is declared for which Penstock asks by itself, such as a layer; `line` is 0 where that is not
    known, and `source_line` where what it reads is declared."""

    file: str
    line: int
    name: str
    source_line: int = 0

    @property
    def source(self) -> "Declared":
        """What it reads."""
        return Declared(self.file, self.source_line or self.line, f"{self.name}.source", self.source_line)


DEEPEST = 40
BEYOND = 2
FOREIGN: dict[CodeType, int] = {each.__code__: BEYOND for each in (asyncio.Handle._run, asyncio.Runner.run)}
"""Which code is a library's, of what was asked about so far. An event loop is worse: whatever called it has nothing to
do with the task that it runs, so there one is `BEYOND` user code."""
_MOST_CODES = 20_000
_LIBRARIES = tuple(sorted({
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ""),  # Penstock's own
    *(os.path.join(path, "") for name, path in sysconfig.get_paths().items()
      if name in ("stdlib", "platstdlib", "purelib", "platlib"))}))


def site(skipped: int = 2) -> Site | None:
    """Where in the user's code the caller was called from; `skipped` frames are not looked at."""
    return nearest(sys._getframe(skipped))


def nearest(frame: FrameType | None) -> Site | None:
    """The nearest frame of the user's code, from this one outwards."""
    for _ in range(DEEPEST):
        if frame is None:
            return None
        code = frame.f_code
        foreign = FOREIGN[code] if code in FOREIGN else is_foreign(code)
        if not foreign:
            return code, frame.f_lasti
        if foreign == BEYOND:
            return None
        frame = frame.f_back
    return None


def is_foreign(code: CodeType) -> bool:
    """Whether code is a library's, the standard one's or Penstock's own."""
    file = code.co_filename
    foreign = file.startswith(("<frozen", *_LIBRARIES)) or "site-packages" in file or "dist-packages" in file
    if len(FOREIGN) < _MOST_CODES:  # code that is made anew again and again is not kept alive without end
        FOREIGN[code] = foreign
    return foreign


def begins(function: F) -> F:
    """For what serves others' work: whoever called it, such as a drain, asks for nothing that is asked in there."""
    FOREIGN[function.__code__] = BEYOND
    return function


def line_of(found: Site) -> int:
    """The line of a place in bytecode, as a traceback would tell it."""
    code, place = found
    for number, (line, *_) in enumerate(code.co_positions()):
        if number == place // 2 and line is not None:
            return line
    return code.co_firstlineno


def call_sites(counts: Mapping[Site | Declared, int], most: int) -> list[CallSite]:
    """As they are told, those that came most often first."""
    found: dict[tuple[str, int, str], int] = {}
    for each, calls in counts.items():
        key = each[:3] if isinstance(each, Declared) else (each[0].co_filename, line_of(each), each[0].co_qualname)
        found[key] = found.get(key, 0) + calls
    often = sorted(found.items(), key=lambda item: -item[1])[:most]
    return [CallSite(*key, calls) for key, calls in often]
