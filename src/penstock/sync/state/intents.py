"""Intents: one row for a call that creates records, with all that is needed to look for them if its answer is lost.

An intent is written before the call, and goes in the very write that saves the last of its outcomes. What a run left
behind that ended without an answer becomes rows in doubt when its layer is planned next. A row of the state is so
written once for a record that is created, and not twice.
"""

from collections.abc import Iterable, Sequence

import msgspec

from penstock.domain.records import RecordState
from penstock.store.port import Row
from penstock.sync.state.layer import LayerState
from penstock.sync.state.rows import Mark

NO_ANSWER = ("no_answer", "it was being sent, and no answer was noted")


class _Entry(msgspec.Struct, array_like=True):
    key: str
    parent_key: str | None
    remote_id: str | None
    tried: bytes | None


_decode = msgspec.json.Decoder(list[_Entry]).decode


def encoded(marks: Iterable[Mark]) -> str:
    """What is kept of creates that are about to be sent."""
    entries = [_Entry(mark.key, mark.parent_key, mark.remote_id, mark.tried) for mark in marks]
    return msgspec.json.encode(entries).decode()


def recover(state: LayerState) -> None:
    """Put in doubt what an attempt that is over was creating when it ended."""
    for row in state.abandoned():
        entries, wait_ms = _read(row)
        known = state.look_up([entry.key for entry in entries])
        error_class, error = NO_ANSWER
        state.give_up(row[0], [
            Mark(entry.key, RecordState.IN_DOUBT, entry.parent_key, entry.remote_id, error_class=error_class,
                 error=error, wait_ms=None if entry.remote_id else wait_ms, tried=entry.tried)
            for entry in entries if entry.key not in known  # whoever has a row has an outcome
        ])


def _read(row: Row) -> tuple[Sequence[_Entry], int]:
    _, entries, wait_ms = row
    return _decode(entries), max(wait_ms, 0)
