"""Statistics of the explained database, written over those of a scratch table: the planner then believes in a table of
the real one's size and values.

PostgreSQL 18 restores statistics by functions. An older one cannot: there the sample's own statistics stand, with the
real number of distinct values, and the numbers of rows are the sample's.
"""

from typing import Any

from penstock.advise.asking.postgres.connection import Connection, reading
from penstock.advise.asking.postgres.explained import Postgres
from penstock.advise.trial.definition import quoted
from penstock.domain.advice import Table

_RESTORES = 180000
_STATISTICS = """
select attname, null_frac, avg_width, n_distinct, most_common_vals::text, most_common_freqs,
       histogram_bounds::text, correlation
from pg_stats where schemaname = %s and tablename = %s order by inherited
"""
_RELATION = """
select pg_restore_relation_stats('schemaname', %s::text, 'relname', %s::text, 'relpages', pg_relation_size(%s::regclass)
       / current_setting('block_size')::int, 'reltuples', %s::real)
"""
_NAMES = ("null_frac", "avg_width", "n_distinct", "most_common_vals", "most_common_freqs", "histogram_bounds",
          "correlation")
_TYPES = ("real", "integer", "real", "text", "real[]", "text", "real")


def restore(connection: Connection, place: str, table: Table, source: Postgres) -> None:
    """Give the scratch table the statistics of the real one. Raises `psycopg.Error`."""
    with reading(source.connection, source.limits, source.role) as theirs:
        rows = theirs.execute(_STATISTICS, [table.schema, table.name]).fetchall()
    if connection.info.server_version < _RESTORES:
        _distinct(connection, place, table, rows)
        return
    # As many pages as there are and as many rows as there really are: the planner multiplies what is on a page.
    connection.execute(_RELATION, [place, table.name, f"{place}.{quoted(table.name)}", table.rows])
    for name, *values in rows:
        told = [(each, kind, value) for each, kind, value in zip(_NAMES, _TYPES, values, strict=True)
                if value is not None]
        marks = ", ".join(f"'{each}', %s::{kind}" for each, kind, _ in told)
        connection.execute(
            f"select pg_restore_attribute_stats('schemaname', %s::text, 'relname', %s::text, 'attname', %s::text,"
            f" 'inherited', false, {marks})".encode(), [place, table.name, name, *(value for _, _, value in told)])


def _distinct(connection: Connection, place: str, table: Table, rows: list[Any]) -> None:
    for name, _, _, distinct, *_ in rows:
        if distinct:
            connection.execute(f"alter table {place}.{quoted(table.name)} alter column {quoted(name)}"
                               f" set (n_distinct = {float(distinct)!r})".encode())
    connection.execute(f"analyze {place}.{quoted(table.name)}".encode())
