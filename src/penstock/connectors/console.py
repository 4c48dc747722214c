"""A destination that prints what it is asked to do, so that a sync can be tried without credentials.

It takes every change and keeps nothing: what was synchronised stands only in the layer's own state.
"""

import sys
from collections.abc import Sequence
from typing import TextIO

import msgspec

from penstock.domain.records import Change, Done
from penstock.sync.declaring.ports import Found, Run


class Console:
    """Prints one line per change (verb, key, payload as JSON), and calls the record there by its key.

    `stream` takes the lines; without one they go to whatever standard output is at the time.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def create(self, changes: Sequence[Change], run: Run) -> list[Done]:
        return self._print("create", changes)

    def update(self, changes: Sequence[Change], run: Run) -> list[Done]:
        return self._print("update", changes)

    def delete(self, changes: Sequence[Change], run: Run) -> list[Done]:
        return self._print("delete", changes)

    def disable(self, changes: Sequence[Change], run: Run) -> list[Done]:
        return self._print("disable", changes)

    def find(self, values: Sequence[str], run: Run) -> Found:
        """Nothing: what was printed is nowhere to be found."""
        return {}

    def _print(self, verb: str, changes: Sequence[Change]) -> list[Done]:
        stream = self._stream or sys.stdout
        # In one piece, so that the lines of several threads do not mix.
        stream.write("".join(f"{_line(verb, change)}\n" for change in changes))
        stream.flush()
        return [Done(remote_id=change.remote_id or change.key) for change in changes]


def _line(verb: str, change: Change) -> str:
    # A key with a line break or a terminal's control sequence in it must not look like something else.
    key = change.key if change.key.isprintable() else _json(change.key)
    return f"{verb} {key}" if change.payload is None else f"{verb} {key} {_json(change.payload)}"


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
