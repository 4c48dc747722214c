"""What is said of something that waits, and how times and counts read."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

MOST = 1000
"""Counts of what is before something end here."""

Waits = Literal["ended", "executing", "paused", "scheduled", "retry", "behind", "gate", "room", "turn", "pace", "stale",
                "no worker", "unknown task", "claim", "window", "jobs", "unfolded", "not requested", "unknown"]


class Fact(msgspec.Struct, frozen=True):
    """Something else that is worth knowing."""

    what: str
    says: str


class Answer(msgspec.Struct):
    """Why something waits. `waits` says for what, `reason` in words; times are in milliseconds since 1970, UTC.

    `until_at` is when that is over, where that is known; it waits no longer where `waits` is `ended` or `executing`.
    """

    about: str
    state: str
    waits: Waits
    reason: str
    until_at: int | None = None
    facts: list[Fact] = []

    def also(self, what: str, says: str) -> None:
        self.facts.append(Fact(what, says))

    def because(self, waits: Waits, reason: str, until_at: int | None = None) -> None:
        """Something graver is the reason; what was is kept as what comes then."""
        self.facts.insert(0, Fact("then", self.reason))
        self.waits, self.reason, self.until_at = waits, reason, until_at


def moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def counted(count: int, what: str) -> str:
    """As `1 job`, `3 jobs` or `more than 1,000 jobs`."""
    if count > MOST:
        return f"more than {MOST:,} {what}s"
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def said(error_class: str | None, error: str | None) -> str:
    """An error in one line: of a traceback, the last."""
    lines = (error or "").strip().splitlines()
    text = lines[-1].strip() if lines else ""
    return text if error_class is None or text.startswith(error_class) else f"{error_class}: {text}".rstrip(": ")
