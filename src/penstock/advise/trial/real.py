"""A real index on the database that was named for experiments: built, measured with and without, dropped again.

The index is built and tagged in one transaction, so none is ever there without its tag. What it is worth is measured in
rounds that alternate between with and without: *without* is a transaction that drops the index, measures, and is rolled
back. Statements run in transactions that were made read-only.
"""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.pq import TransactionStatus

from penstock.advise.asking.binding import Bound
from penstock.advise.asking.database import USUAL, Limits
from penstock.advise.asking.postgres.connection import connect, experimenting, reason
from penstock.advise.asking.postgres.explained import ask
from penstock.advise.trial.contract import Seen, Tried, Work
from penstock.advise.trial.definition import create_index, quoted
from penstock.advise.trial.left_over import COMMENT, drop_left_over, held, new_name, taking_turns
from penstock.advise.trial.rounds import Runs, best, measure
from penstock.advise.trial.two_steps import two_steps
from penstock.advise.trial.write_cost import write_cost
from penstock.domain.advice import Candidate, Rewrite, Schema
from penstock.domain.errors import TrialFailed
from penstock.domain.plans import walk

ROUNDS = 3
_BUILT = """
select bool_or(i.indcheckxmin), sum(pg_relation_size(i.indexrelid)), array_agg(c.relname::text)
from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indexrelid = %(name)s::regclass
   or i.indexrelid in (select relid from pg_partition_tree(%(name)s::regclass))
"""


# A build counts the rows, so only what is known of columns says whether the table was analysed.
_UNKNOWN = """
select c.relkind <> 'p' and c.reltuples <> 0 and not exists (
    select from pg_stats s where s.schemaname = n.nspname and s.tablename = c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = %s::regclass
"""
_NO_ROOM = "53"
"""The class of errors for want of disk, memory or connections."""
_TOO_YOUNG = ("PostgreSQL did not use it, since rows had changed in ways that older transactions may still see"
              " (indcheckxmin): this trial says nothing; try a real index, or vacuum the table first")


class Built(NamedTuple):
    """An index as it was built: whether older transactions keep it from being used, its bytes, and its names: of a
    partitioned table each partition has one."""

    too_young: bool
    size: int
    names: frozenset[str]


class Real:
    """Real indexes on the database at `url`, which was named for them.

    `limits.statement_ms` bounds each execution, `build_ms` each build. With `rolled_back` no index is ever committed:
    it blocks writers to the table for as long as the trial takes, and may say nothing (`indcheckxmin`).
    """

    def __init__(self, url: str, limits: Limits = USUAL, *, rounds: int = ROUNDS, rolled_back: bool = False,
                 build_ms: int = 30 * 60_000) -> None:
        self.by = "rolled back" if rolled_back else "real"
        self.dropped: list[str] = []
        """What earlier trials had left behind, by name."""
        self._url = url
        self._limits = limits
        self._rounds = max(rounds, ROUNDS)
        self._rolled_back = rolled_back
        self._build = msgspec.structs.replace(limits, statement_ms=build_ms, idle_ms=0, lock_ms=max(limits.lock_ms,
                                                                                                  5_000))

    def __enter__(self) -> "Real":
        self._connection = connect(self._url, "the database for experiments")
        try:
            self.dropped = drop_left_over(self._connection)
        except psycopg.Error as error:
            self._connection.close()
            raise TrialFailed(f"what an earlier trial left behind could not be dropped: {reason(error, self._url)}"
                              ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._connection.close()

    def index(self, candidate: Candidate, work: Work, siblings: Sequence[Work], schema: Schema) -> Tried:
        works = [each for each in (work, *siblings) if each.runs]
        if not work.runs:
            return self._fault("it is not run, since it may write: what it would take cannot be measured")
        name = new_name()
        try:
            if self._unknown(candidate):
                return self._fault(f"the copy has no statistics of {candidate.table}, so its planner would do something"
                                   " else: run ANALYZE there")
            with taking_turns(self._connection, _table(candidate), self._build.lock_ms):
                if self._rolled_back:
                    return self._within_one_transaction(name, candidate, works)
                with held(self._connection, name), self._built(name, candidate):
                    return self._measured(name, candidate, works)
        except psycopg.Error as error:
            return self._fault(self._why(error))

    def rewrite(self, before: Work, after: Work) -> Tried:
        if not (before.runs and after.runs):
            return self._fault("it is not run, since it may write: what it would take cannot be measured")
        rounds: tuple[list[Runs], list[Runs]] = ([], [])
        try:
            for number in range(self._rounds):
                sides = list(zip(rounds, (before, after), strict=True))
                for runs, work in sides if number % 2 == 0 else reversed(sides):
                    runs.append(self._run(work, ()))
        except psycopg.Error as error:
            return self._fault(f"it could not be measured: {reason(error, self._url)}")
        seen = Seen(work=before, before=best(rounds[0]), after=best(rounds[1]), measured_before=measure(rounds[0]),
                    measured_after=measure(rounds[1]))
        return Tried(by=self.by, confidence="confirmed", seen=seen, used=True)

    def two_steps(self, work: Work, rewrite: Rewrite, calls: int) -> Tried:
        if not work.runs:
            return self._fault("it is not run, since it may write: what it would take cannot be measured")

        def rows(bound: Bound, most: int) -> list[Any]:
            with experimenting(self._connection, self._limits), psycopg.RawCursor(self._connection) as cursor:
                self._connection.execute("set local transaction_read_only = on")
                cursor.execute(bound.numbered.encode(), bound.values)
                return [row[0] for row in cursor.fetchmany(most)]

        try:
            return two_steps(work, rewrite, calls, "postgres", self._rounds, lambda each: self._run(each, ()), rows,
                             self.by)
        except psycopg.Error as error:
            return self._fault(f"it could not be measured: {reason(error, self._url)}")

    @contextlib.contextmanager
    def _built(self, name: str, candidate: Candidate) -> Iterator[None]:
        try:
            with experimenting(self._connection, self._build):
                self._make(name, candidate)
                self._connection.execute("commit")
            yield
        finally:
            self._drop(name, candidate)

    def _make(self, name: str, candidate: Candidate) -> None:
        self._connection.execute(create_index(candidate, name).encode())
        self._connection.execute(f"comment on index {_placed(name, candidate)} is '{COMMENT} {name}'".encode())
        if any(key.expression for key in candidate.keys):  # which has statistics only once it was analysed
            self._connection.execute(f"analyze {_table(candidate)}".encode())

    def _drop(self, name: str, candidate: Candidate) -> None:
        """Whatever happened: nothing stays. It is done on a thread of its own, where no Ctrl-C breaks into it: that is
        heard when it has been done."""
        with ThreadPoolExecutor(1, "penstock-drop") as apart:
            dropping = apart.submit(self._dropped, name, candidate)
            try:
                dropping.result()
            except KeyboardInterrupt:
                dropping.result()
                raise

    def _dropped(self, name: str, candidate: Candidate) -> None:
        try:
            # A connection that was lost, or was interrupted in the middle of something, is replaced.
            if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                self._connection.close()
                self._connection = connect(self._url, "the database for experiments")
            with experimenting(self._connection, msgspec.structs.replace(self._build, lock_ms=60_000)):
                self._connection.execute(f"drop index if exists {_placed(name, candidate)}".encode())
                self._connection.execute("commit")
        except Exception as error:
            raise TrialFailed(
                f"the trial's index {name} on {candidate.table} could not be dropped: {reason(error, self._url)}. It is"
                f" dropped by the next `penstock advise … --on`, or by: DROP INDEX {_placed(name, candidate)}"
            ) from error

    def _measured(self, name: str, candidate: Candidate, works: Sequence[Work]) -> Tried:
        built = self._look(name, candidate)
        without: list[list[Runs]] = [[] for _ in works]
        with_it: list[list[Runs]] = [[] for _ in works]
        replaced = [_placed(index, candidate) for index in candidate.replaces]
        for number in range(self._rounds):
            sides = [(without, [_placed(name, candidate)]), (with_it, replaced)]
            for side, dropped in sides if number % 2 == 0 else reversed(sides):
                for runs, work in zip(side, works, strict=True):
                    runs.append(self._run(work, dropped))
        cost = write_cost(self._connection, self._build, candidate)
        tried = self._tried(works, without, with_it, built)
        return msgspec.structs.replace(tried, write_cost=cost)

    def _within_one_transaction(self, name: str, candidate: Candidate, works: Sequence[Work]) -> Tried:
        without: list[list[Runs]] = [[] for _ in works]
        with_it: list[list[Runs]] = [[] for _ in works]
        for _ in range(self._rounds):
            for runs, work in zip(without, works, strict=True):
                runs.append(self._run(work, ()))
            with experimenting(self._connection, self._build):
                self._make(name, candidate)
                built = self._look(name, candidate)
                for runs, work in zip(with_it, works, strict=True):
                    runs.append(self._runs(work))
        return self._tried(works, without, with_it, built)

    def _unknown(self, candidate: Candidate) -> bool:
        row = self._connection.execute(_UNKNOWN, [_table(candidate)]).fetchone()
        return bool(row and row[0])

    def _look(self, name: str, candidate: Candidate) -> Built:
        row = self._connection.execute(_BUILT, {"name": _placed(name, candidate)}).fetchone()
        assert row is not None
        return Built(bool(row[0]), int(row[1]), frozenset(row[2]))

    def _run(self, work: Work, dropped: Sequence[str]) -> Runs:
        with experimenting(self._connection, self._limits):
            for index in dropped:
                self._connection.execute(f"drop index {index}".encode())
            self._connection.execute("set local transaction_read_only = on")
            return self._runs(work)

    def _runs(self, work: Work) -> Runs:
        plans, late = [], 0
        for call in work.calls:
            try:
                with self._connection.transaction():
                    plans.append(ask(self._connection, call.bound, analyse=True, parameters=call.label,
                                     redact=self._limits.redact))
            except psycopg.errors.QueryCanceled:
                late += 1
                plans.append(ask(self._connection, call.bound, parameters=call.label, redact=self._limits.redact))
        return Runs(tuple(plans), late, self._limits.statement_ms * 1000)

    def _tried(self, works: Sequence[Work], without: list[list[Runs]], with_it: list[list[Runs]],
               built: Built) -> Tried:
        seen = [Seen(work=work, before=best(old), after=best(new), measured_before=measure(old),
                     measured_after=measure(new)) for work, old, new in zip(works, without, with_it, strict=True)]
        used = any(node.index in built.names for plan in seen[0].after for node in walk(plan.root))
        fault = _TOO_YOUNG if built.too_young and not used else None
        return Tried(by=self.by, confidence="confirmed", seen=seen[0], siblings=tuple(seen[1:]), used=used,
                     size=built.size, fault=fault)

    def _fault(self, why: str) -> Tried:
        return Tried(by=self.by, confidence="confirmed", fault=why)

    def _why(self, error: psycopg.Error) -> str:
        said = reason(error, self._url)
        if (error.sqlstate or "").startswith(_NO_ROOM):
            return f"there is no room on its server, and nothing was left behind: {said}. Free some and try again"
        if isinstance(error, psycopg.errors.QueryCanceled):
            return f"it took longer to build than it may ({self._build.statement_ms:,} ms); nothing was left behind"
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return ("somebody holds a lock on the table, or another trial is at work on it; try again when long"
                    " transactions have ended")
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return f"the role may not build it: {said}; only a table's owner can"
        return f"it could not be built: {said}"


def _table(candidate: Candidate) -> str:
    return ".".join(quoted(part) for part in (candidate.schema, candidate.table) if part)


def _placed(name: str, candidate: Candidate) -> str:
    """An index lies in the schema of its table."""
    return ".".join(quoted(part) for part in (candidate.schema, name) if part)
