"""An entry of the journal: a change that a person asked for, and what came of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """`at` is in milliseconds since 1970. `said` is None for a change that has not ended, or whose end was lost."""

    id: int
    at: int
    actor: str
    action: str
    about: str
    before: str | None
    after: str | None
    said: str | None
