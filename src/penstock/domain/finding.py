"""What an examination found: how bad it is, what there is, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`ok`; `warning`: it works, at a price or a risk; `fault`: it does not work, or loses what it was given."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` is empty where there is nothing to do."""

    level: Level
    about: str
    found: str
    remedy: str = ""


def ok(about: str, found: str, remedy: str = "") -> Finding:
    return Finding(Level.OK, about, found, remedy)


def warning(about: str, found: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, about, found, remedy)


def fault(about: str, found: str, remedy: str) -> Finding:
    return Finding(Level.FAULT, about, found, remedy)
