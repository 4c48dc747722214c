"""Rows of a table of the explained database, read in one read-only transaction and no more than a budget allows."""

import msgspec

from penstock.advise.asking.postgres.connection import reading
from penstock.advise.asking.postgres.explained import Postgres
from penstock.advise.trial.definition import quoted
from penstock.domain.advice import Table

_WIDTH = 16
"""Of a column of which nobody knows how wide it is."""


class Sampled(msgspec.Struct, frozen=True):
    """Rows of some columns, as COPY writes them. `whole`: none is missing."""

    columns: tuple[str, ...]
    blocks: tuple[bytes, ...]
    whole: bool


def sample(source: Postgres, table: Table, columns: tuple[str, ...], budget: int) -> Sampled:
    """Rows of whole pages, chosen by chance, until they fill the budget. Raises `psycopg.Error`."""
    width = sum((found.width or _WIDTH) for name in columns if (found := table.column(name)))
    share = min(1.0, budget / max((table.rows or 0) * max(width, 1), 1))
    place = ".".join(quoted(part) for part in (table.schema, table.name) if part)
    # The same rows each time, so that trials can be compared.
    chosen = "" if share == 1.0 else f" tablesample system ({share * 100:.6f}) repeatable (1)"
    named = ", ".join(map(quoted, columns)) or "1"
    blocks: list[bytes] = []
    taken = 0
    with reading(source.connection, source.limits, source.role) as connection, connection.cursor().copy(
            f"copy (select {named} from {place}{chosen}) to stdout".encode()) as copy:
        while (block := copy.read()) and taken < budget:
            blocks.append(bytes(block))
            taken += len(block)
        cut = bool(block)
        while copy.read():  # what is beyond the budget is left where it is
            pass
    return Sampled(columns, tuple(blocks), share == 1.0 and not cut)
