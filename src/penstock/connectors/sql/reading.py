"""Reading a destination's table back: rows by a value, and all of them page by page."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from penstock.connectors.sql.commands import Commands
from penstock.connectors.sql.rows import Rows, parts_of, remote_id_of
from penstock.connectors.sql.session import Refusal, Session, Step, misfit
from penstock.connectors.sql.table import Kind

PAGE = 1000
_SEVERAL = 10
"""As many remote ids are told of one value: to know that it is not one, two would do."""

Record = tuple[str, str | None, dict[str, Any]]
"""A remote id, the value of match (else the key), the columns that a payload may give, and `active`."""


def found(session: Session, commands: Commands, rows: Rows, values: Sequence[str]) -> dict[str, list[str]]:
    """The remote ids of the rows that have each value in the match column, else in those of the key."""
    names = (rows.layout.match,) if rows.layout.match is not None else rows.layout.key
    owner = rows.owner()
    steps: dict[str, Step] = {}
    for value in dict.fromkeys(values):
        if (parts := parts_of(value, len(names))) is not None:
            where = {**dict(zip(names, parts, strict=True)), **owner}
            steps[value] = Step(commands.select(commands.identity, [*where], limit=_SEVERAL), [*where.values()])
    answers = zip(steps, session.carry_out([*steps.values()]), strict=True)
    # A value that the column cannot even be compared with is in no row of it.
    ids = {value: [] if isinstance(answer, Refusal) else [remote_id_of(row) for row in answer]
           for value, answer in answers}
    return {value: [each for each in several if each is not None] for value, several in ids.items() if several}


def pages(session: Session, commands: Commands, rows: Rows, size: int, seconds: float) -> Iterator[list[Record]]:
    """Every row that is not somebody else's, in the order of its remote id; each page in a transaction of its own."""
    layout, table = rows.layout, rows.table
    identity = commands.identity
    filled = {name for _, name in layout.filled() if name != layout.active} | (set() if layout.key else set(identity))
    columns = [name for name in table.columns if name not in filled]
    value = layout.match if layout.match is not None else identity[0]
    owner = [*rows.owner().values()]
    after: list[Any] | None = None
    while True:
        step = Step(commands.page(columns, value, first=after is None), [*owner, *(after or ()), size])
        session.begin(write=False, seconds=seconds)
        try:
            (answer,) = session.carry_out([step])
        finally:
            session.rollback()
        if isinstance(answer, Refusal):
            raise misfit(f"the table {layout} could not be read: {answer.rejected.message}")
        if answer:
            yield [record for row in answer if (record := _record(rows, columns, identity, row)) is not None]
        if len(answer) < size:
            return
        after = list(answer[-1][-len(identity):])


def _record(rows: Rows, columns: Sequence[str], identity: Sequence[str], row: Sequence[Any]) -> Record | None:
    remote_id = remote_id_of(row[:len(identity)])
    if remote_id is None:
        return None
    value = row[len(identity)] if rows.layout.match is not None else remote_id
    payload = {name: _plain(each, rows.table.columns[name].kind)
               for name, each in zip(columns, row[len(identity) + 1:], strict=False)}
    if rows.layout.active in payload:  # a column of numbers may say so too
        payload[rows.layout.active] = bool(payload[rows.layout.active])
    return remote_id, value, payload


def _plain(value: Any, kind: Kind) -> Any:
    """A value as a payload gives it: JSON values, dates and decimals as text."""
    if kind is Kind.BOOLEAN and isinstance(value, int):
        return bool(value)
    if kind is Kind.JSON and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return msgspec.to_builtins(value, enc_hook=str)
