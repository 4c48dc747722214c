"""A scratch schema: the statement's tables in small, with the explained database's statistics, made to find out what
the planner would do with an index.

Everything happens in one transaction that is rolled back, in Penstock's own PostgreSQL or in the copy that was named,
never in the explained database: whatever breaks off, nothing is left. Only columns that conditions, orderings and
indexes use are filled; the others are there, and empty.
"""

from collections.abc import Sequence
from contextlib import closing
from types import TracebackType

import msgspec
import psycopg

from penstock.advise.asking.binding import Bound
from penstock.advise.asking.options import Options
from penstock.advise.asking.postgres.connection import Connection, connect, experimenting, reason
from penstock.advise.asking.postgres.explained import Postgres, ask
from penstock.advise.parsing.lexis import words
from penstock.advise.trial.contract import CannotTry, Seen, Tried, Work
from penstock.advise.trial.definition import create_index, quoted
from penstock.advise.trial.left_over import new_name
from penstock.advise.trial.sampling import Sampled, sample
from penstock.advise.trial.statistics import restore
from penstock.domain.advice import Candidate, Plan, Rewrite, Schema, Table
from penstock.domain.plans import walk

_MADE = ("table", "partitioned", "materialized")


class Scratch:
    """Scratch schemas in the database at `url`, of tables that `source` describes."""

    by = "scratch"

    def __init__(self, url: str, source: Postgres, options: Options) -> None:
        self._url = url
        self._source = source
        self._limits = options.trial_limits
        self._budget = options.scratch_bytes
        self._samples: dict[tuple[str | None, str, tuple[str, ...]], Sampled] = {}

    def __enter__(self) -> "Scratch":
        with closing(connect(self._url, "the database for scratch schemas")) as connection:
            try:
                with experimenting(connection, self._limits):
                    connection.execute(f"create schema {new_name()}".encode())
            except psycopg.Error as error:
                raise CannotTry(f"no schema may be made in it: {reason(error, self._url)}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._samples.clear()

    def index(self, candidate: Candidate, work: Work, siblings: Sequence[Work], schema: Schema) -> Tried:
        tables = [table for table in schema.tables if table.kind in _MADE]
        if len(tables) < len(schema.tables):
            return self._fault("it reads a view or a foreign table, which is not made again in a scratch schema")
        if any(table.rows is None for table in tables):
            return self._fault("its tables have no statistics to be copied: run ANALYZE first")
        # Siblings may read other tables, which are not made here.
        works = [work, *(each for each in siblings if each.tables <= work.tables)]
        place = new_name()
        try:
            samples = [self._sampled(table, candidate, works) for table in tables]
            with closing(connect(self._url, "the database for scratch schemas")) as connection, experimenting(
                    connection, self._limits):
                self._make(connection, place, tables, samples)
                return self._tried(connection, place, candidate, works, tables)
        except psycopg.errors.DiskFull as error:
            return self._fault(f"there is no room for a scratch schema, and nothing was left behind: {reason(error)}")
        except psycopg.Error as error:
            return self._fault(f"its tables cannot be made again in a scratch schema: {reason(error, self._url)}")

    def rewrite(self, before: Work, after: Work) -> Tried:
        return self._fault("a scratch schema says nothing of another text")

    def two_steps(self, work: Work, rewrite: Rewrite, calls: int) -> Tried:
        return self._fault("it is not run here: only a copy (--on) tells what it takes")

    def _sampled(self, table: Table, candidate: Candidate, works: Sequence[Work]) -> Sampled:
        told = " ".join([work.calls[0].bound.text for work in works if work.calls] + [candidate.predicate or ""])
        used = tuple(column.name for column in table.columns if _is_used(column.name, table, candidate, told))
        key = (table.schema, table.name, used)
        if key not in self._samples:
            self._samples[key] = sample(self._source, table, used, self._budget)
        return self._samples[key]

    def _make(self, connection: Connection, place: str, tables: Sequence[Table], samples: Sequence[Sampled]) -> None:
        connection.execute(f"create schema {place}".encode())
        connection.execute(f"set local search_path = {place}, public".encode())
        for table, sampled in zip(tables, samples, strict=True):
            columns = ", ".join(f"{quoted(column.name)} {_type(connection, column.type)}" for column in table.columns)
            connection.execute(f"create unlogged table {place}.{quoted(table.name)} ({columns})".encode())
            names = ", ".join(map(quoted, sampled.columns))
            with connection.cursor().copy(f"copy {place}.{quoted(table.name)} ({names}) from stdin".encode()) as copy:
                for block in sampled.blocks:
                    copy.write(block)
            for index in table.indexes:
                if index.valid and index.method == "btree":
                    made = Candidate(table=table.name, keys=index.keys, name=index.name, why="", schema=place,
                                     include=index.include, predicate=index.predicate)
                    unique = create_index(made, index.name)
                    connection.execute((unique.replace("create index", "create unique index", 1)
                                        if index.unique else unique).encode())
            connection.execute(f"analyze {place}.{quoted(table.name)}".encode())
            restore(connection, place, table, self._source)

    def _tried(self, connection: Connection, place: str, candidate: Candidate, works: Sequence[Work],
               tables: Sequence[Table]) -> Tried:
        name = new_name()
        before = [self._plans(connection, place, work, tables) for work in works]
        connection.execute(create_index(candidate, name, schema=place).encode())
        after = [self._plans(connection, place, work, tables) for work in works]
        row = connection.execute("select pg_relation_size(%s::regclass), pg_table_size(%s::regclass)",
                                 [f"{place}.{name}", f"{place}.{quoted(candidate.table)}"]).fetchone()
        counted = connection.execute(f"select count(*) from {place}.{quoted(candidate.table)}".encode()).fetchone()
        table = next(each for each in tables if each.name == candidate.table)
        size = None
        if row and counted and counted[0]:
            size = round(row[0] * (table.rows or counted[0]) / counted[0])
        seen = [Seen(work=work, before=old, after=new) for work, old, new in zip(works, before, after, strict=True)]
        return Tried(by=self.by, confidence="likely", seen=seen[0], siblings=tuple(seen[1:]), size=size,
                     used=any(node.index == name for plan in after[0] for node in walk(plan.root)))

    def _plans(self, connection: Connection, place: str, work: Work, tables: Sequence[Table]) -> tuple[Plan, ...]:
        return tuple(ask(connection, _moved(call.bound, place, tables), parameters=call.label,
                         redact=self._limits.redact) for call in work.calls)

    def _fault(self, why: str) -> Tried:
        return Tried(by=self.by, confidence="likely", fault=why)


def _is_used(name: str, table: Table, candidate: Candidate, told: str) -> bool:
    """Whether a column's values matter: to an index, or to a condition or an ordering of a statement."""
    indexed = {key.column for index in table.indexes for key in index.keys}
    indexed |= {key.column for key in candidate.keys} if candidate.table == table.name else set()
    if name in indexed or name in table.primary_key:
        return True
    expressions = [key.expression or "" for index in table.indexes for key in index.keys]
    behind = told.lower().partition(" from ")[2]  # what is only chosen stands before
    texts = [behind, *expressions, *(key.expression or "" for key in candidate.keys),
             *(index.predicate or "" for index in table.indexes)]
    return any(name.lower() in {piece.text.lower().strip('"') for piece in words(text, "postgres")} for text in texts)


def _type(connection: Connection, name: str) -> str:
    """The type of a column, or text for one that is not known here."""
    try:
        with connection.transaction():
            row = connection.execute("select to_regtype(%s) is not null", [name.partition("(")[0]]).fetchone()
    except psycopg.Error:
        return "text"
    return name if row and row[0] else "text"


def _moved(bound: Bound, place: str, tables: Sequence[Table]) -> Bound:
    """The statement with the scratch schema for those of its tables."""
    named = {(table.schema, table.name) for table in tables}
    pieces = words(bound.text, "postgres")
    for at, piece in enumerate(pieces[:-2]):
        if piece.kind in ("word", "name") and pieces[at + 1].text == "." and (
                _plain(piece.text), _plain(pieces[at + 2].text)) in named:
            pieces[at] = piece._replace(text=place)
    return msgspec.structs.replace(bound, text="".join(piece.text for piece in pieces))


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
