"""What has ended since the last look, from the maintained counters: no job is read.

The counters of finished jobs shrink where finished jobs are removed, so they are compared part by part, and a part that
shrank says nothing that time.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

Count = tuple[str, str, str, int, int]
"""Queue, task, state, part of the finished jobs, and how many there are."""


class Tally(msgspec.Struct):
    """Of one task or queue: what has ended since, in a row, and when anything last did (ms since 1970)."""

    streak: int = 0
    moved_at: int = 0
    sign: str = ""


class Notes(msgspec.Struct):
    """What a look leaves for the next one. `seen` is by queue, task, state and part."""

    seen: dict[str, int] = {}
    tasks: dict[str, Tally] = {}
    queues: dict[str, Tally] = {}
    syncs: dict[str, Tally] = {}
    begun: bool = False


def note_ends(notes: Notes, counts: Iterable[Count], now: int) -> None:
    """Compare the counters with those of the last look. The first look only notes them."""
    seen: dict[str, int] = {}
    ended: dict[str, dict[str, int]] = {}
    for queue, task, state, part, n in counts:
        key = msgspec.json.encode([queue, task, state, part]).decode()
        seen[key] = int(n)
        more = int(n) - notes.seen.get(key, 0) if notes.begun else 0
        found = ended.setdefault(task, {})
        found[state] = found.get(state, 0) + max(more, 0)
        if more > 0 or queue not in notes.queues:
            notes.queues[queue] = Tally(moved_at=now)
    for task, found in ended.items():
        tally = notes.tasks.setdefault(task, Tally())
        discarded, completed = found.get("discarded", 0), found.get("completed", 0)
        if completed > discarded:
            tally.streak = 0
        else:
            tally.streak += discarded
    notes.tasks = {task: tally for task, tally in notes.tasks.items() if tally.streak}
    notes.seen, notes.begun = seen, True


def note_move(tallies: dict[str, Tally], name: str, sign: Any, now: int) -> int:
    """Since when what is under `name` has shown the same sign of life (ms since 1970)."""
    tally = tallies.setdefault(name, Tally())
    if tally.sign != str(sign) or tally.moved_at > now:  # or the clock was set back
        tally.sign, tally.moved_at = str(sign), now
    return tally.moved_at
