"""A clone of a SQLite file's schema, in memory: no rows, and the statistics that ANALYZE left."""

import sqlite3
from collections.abc import Sequence
from types import TracebackType

from penstock.advise.asking.database import CannotExplain
from penstock.advise.asking.sqlite.explained import Sqlite, ask
from penstock.advise.trial.contract import Seen, Tried, Work
from penstock.advise.trial.definition import create_index, quoted
from penstock.advise.trial.left_over import new_name
from penstock.domain.advice import Candidate, Plan, Rewrite, Schema
from penstock.domain.plans import walk


class Clone:
    """The schema in memory, without rows, with the statistics that ANALYZE left."""

    by = "clone"

    def __init__(self, source: Sqlite) -> None:
        self._source = source

    def __enter__(self) -> "Clone":
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        rows = self._source.connection.execute(
            "select sql from sqlite_master where sql is not null and name not like 'sqlite\\_%' escape '\\'"
            " and type in ('table', 'index', 'view') order by type = 'table' desc, type = 'index' desc").fetchall()
        for (sql,) in rows:
            try:
                self._connection.execute(sql)
            except sqlite3.Error:
                continue  # a virtual table whose module is not here: a statement that reads it cannot be explained
        self._connection.execute("analyze")
        self._statistics()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._connection.close()

    def _statistics(self) -> None:
        source = self._source.connection
        if source.execute("select 1 from sqlite_master where name = 'sqlite_stat1'").fetchone():
            self._connection.execute("delete from sqlite_stat1")
            self._connection.executemany("insert into sqlite_stat1 values (?, ?, ?)",
                                         source.execute("select tbl, idx, stat from sqlite_stat1"))
            self._connection.execute("analyze sqlite_schema")

    def index(self, candidate: Candidate, work: Work, siblings: Sequence[Work], schema: Schema) -> Tried:
        works = [work, *siblings]
        name = new_name()
        try:
            before = [self._plans(each) for each in works]
            self._connection.execute(create_index(candidate, name))
            self._believed(candidate, name, schema)
            after = [self._plans(each) for each in works]
        except (sqlite3.Error, CannotExplain) as error:
            return Tried(by=self.by, confidence="likely", fault=f"it cannot be tried on a clone: {error}")
        finally:
            self._connection.execute(f"drop index if exists {quoted(name)}")
            self._connection.execute("analyze sqlite_schema")
        seen = [Seen(work=each, before=old, after=new) for each, old, new in zip(works, before, after, strict=True)]
        return Tried(by=self.by, confidence="likely", seen=seen[0], siblings=tuple(seen[1:]),
                     used=any(node.index == name for plan in after[0] for node in walk(plan.root)))

    def rewrite(self, before: Work, after: Work) -> Tried:
        return Tried(by=self.by, confidence="likely", fault="a clone says nothing of another text")

    def two_steps(self, work: Work, rewrite: Rewrite, calls: int) -> Tried:
        return Tried(by=self.by, confidence="likely",
                     fault="a clone has no rows: only a copy (--on) tells what it takes")

    def _believed(self, candidate: Candidate, name: str, schema: Schema) -> None:
        """Statistics for the new index: as the index whose columns it begins with has them, and fewer rows after."""
        table = schema.table(candidate.table)
        if table is None or not table.rows:
            return
        known = dict(self._connection.execute("select idx, stat from sqlite_stat1 where tbl = ?",
                                              [table.name]).fetchall())
        columns = [key.column for key in candidate.keys]
        shared: list[float] = []
        for index in table.indexes:
            prefix = [key.column for key in index.keys]
            stat = [float(part) for part in str(known.get(index.name, "")).split()[1:] if part.isdigit()]
            if prefix == columns[:len(prefix)] and len(stat) > len(shared):
                shared = stat
        each = shared[-1] if shared else table.rows
        while len(shared) < len(columns):
            column = table.column(columns[len(shared)] or "")
            each = max(1.0, each / (column.distinct if column and column.distinct else 10))
            unique = columns[len(shared)] in table.primary_key and len(table.primary_key) == 1
            shared.append(1.0 if unique else each)
        self._connection.execute("insert into sqlite_stat1 values (?, ?, ?)", [
            table.name, name, " ".join(str(round(part)) for part in (table.rows, *shared))])
        self._connection.execute("analyze sqlite_schema")

    def _plans(self, work: Work) -> tuple[Plan, ...]:
        return tuple(ask(self._connection, call.bound, self._source.limits, parameters=call.label)
                     for call in work.calls)
