"""HypoPG: indexes that the planner believes in and nobody built. They live in one connection and die with it."""

from collections.abc import Sequence
from types import TracebackType

import psycopg
from psycopg import sql

from penstock.advise.asking.database import USUAL, CannotExplain, Limits
from penstock.advise.asking.postgres.connection import connect, experimenting, reading, reason, role_of
from penstock.advise.asking.postgres.explained import ask
from penstock.advise.trial.contract import CannotTry, Seen, Tried, Work
from penstock.advise.trial.definition import create_index
from penstock.domain.advice import Candidate, Plan, Rewrite, Schema
from penstock.domain.plans import walk

_INSTALLED = """
select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'hypopg'
"""
_AVAILABLE = "select 1 from pg_available_extensions where name = 'hypopg'"


class Hypothetical:
    """HypoPG in the database at `url`.

    Where the extension is not installed it is installed in the transaction of each trial, which is rolled back, but
    only where the database was named for experiments (`may_install`). Raises `CannotTry` on entry where that fails.
    """

    by = "hypopg"

    def __init__(self, url: str, limits: Limits = USUAL, *, may_install: bool = False) -> None:
        self._url = url
        self._limits = limits
        self._may_install = may_install
        self._schema: str | None = None
        self._role: str | None = None

    def __enter__(self) -> "Hypothetical":
        self._connection = connect(self._url, "the database for hypothetical indexes")
        try:
            self._role, _ = role_of(self._connection, self._limits.role)
            row = self._connection.execute(_INSTALLED).fetchone()
            self._schema = row[0] if row else None
            if self._schema is None:
                self._must_be_installable()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._connection.close()

    def _must_be_installable(self) -> None:
        if not self._connection.execute(_AVAILABLE).fetchone():
            raise CannotTry("HypoPG is not on its server")
        if not self._may_install:
            raise CannotTry("HypoPG is not installed in it: CREATE EXTENSION hypopg makes it available")
        try:
            with experimenting(self._connection, self._limits):
                self._connection.execute("create extension hypopg")
        except psycopg.Error as error:
            raise CannotTry(f"HypoPG could not be installed: {reason(error)}") from error

    def index(self, candidate: Candidate, work: Work, siblings: Sequence[Work], schema: Schema) -> Tried:
        works = [work, *siblings]
        within = (reading(self._connection, self._limits, self._role) if self._schema is not None
                  else experimenting(self._connection, self._limits))
        try:
            with within:
                place = self._schema
                if place is None:
                    self._connection.execute("create extension hypopg")
                    row = self._connection.execute(_INSTALLED).fetchone()
                    assert row is not None
                    place = row[0]
                return self._tried(place, candidate, works)
        except (psycopg.Error, CannotExplain) as error:
            said = reason(error, self._url)
            return Tried(by=self.by, confidence="likely", fault=f"HypoPG could not try it: {said}")
        finally:
            self._forget()

    def _tried(self, place: str, candidate: Candidate, works: Sequence[Work]) -> Tried:
        functions = {name: sql.Identifier(place, f"hypopg_{name}") for name in ("create_index", "relation_size")}
        before = [self._plans(work) for work in works]
        row = self._connection.execute(sql.SQL("select indexrelid, indexname from {}(%s)").format(
            functions["create_index"]), [create_index(candidate, None)]).fetchone()
        assert row is not None
        oid, name = row
        after = [self._plans(work) for work in works]
        size = self._connection.execute(sql.SQL("select {}(%s)").format(functions["relation_size"]), [oid]).fetchone()
        seen = [Seen(work=work, before=old, after=new) for work, old, new in zip(works, before, after, strict=True)]
        return Tried(by=self.by, confidence="likely", seen=seen[0], siblings=tuple(seen[1:]),
                     used=any(node.index == name for plan in after[0] for node in walk(plan.root)),
                     size=int(size[0]) if size else None)

    def rewrite(self, before: Work, after: Work) -> Tried:
        try:
            with reading(self._connection, self._limits, self._role):
                seen = Seen(work=before, before=self._plans(before), after=self._plans(after))
        except psycopg.Error as error:
            return Tried(by="plan", confidence="likely", fault=f"it cannot be explained: {reason(error, self._url)}")
        return Tried(by="plan", confidence="likely", seen=seen, used=True)

    def two_steps(self, work: Work, rewrite: Rewrite, calls: int) -> Tried:
        return Tried(by="plan", confidence="likely",
                     fault="it is not run here: only a copy (--on) tells what it takes")

    def _plans(self, work: Work) -> tuple[Plan, ...]:
        return tuple(ask(self._connection, call.bound, parameters=call.label, redact=self._limits.redact)
                     for call in work.calls)

    def _forget(self) -> None:
        """Rolling back does not forget what HypoPG keeps in memory."""
        if self._schema is not None and not self._connection.closed:
            self._connection.execute(sql.SQL("select {}()").format(sql.Identifier(self._schema, "hypopg_reset")))
