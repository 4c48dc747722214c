"""A copy of a SQLite file in a temporary folder: indexes are built there, and statements run."""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from types import TracebackType

from penstock.advise.asking.database import CannotExplain, Limits
from penstock.advise.asking.options import Options
from penstock.advise.asking.sqlite.connection import connect, path_of
from penstock.advise.asking.sqlite.explained import ask
from penstock.advise.trial.contract import Seen, Tried, Work
from penstock.advise.trial.definition import create_index, quoted
from penstock.advise.trial.left_over import new_name
from penstock.advise.trial.rounds import Runs, best, measure
from penstock.advise.trial.two_steps import two_steps
from penstock.domain.advice import Candidate, Rewrite, Schema, WriteCost
from penstock.domain.errors import TrialFailed
from penstock.domain.plans import walk

_ROWS = 1000


class CopyOfFile:
    """A copy of the file at `url` in a temporary folder, which goes when this is left. Raises `TrialFailed` on entry
    where there is no room for it."""

    by = "copy"

    def __init__(self, url: str, options: Options) -> None:
        self._url = url
        self._rounds = max(options.rounds, 3)
        self._limits: Limits = options.trial_limits
        self._build_ms = options.build_ms

    def __enter__(self) -> "CopyOfFile":
        needed = os.path.getsize(path_of(self._url)) if os.path.exists(path_of(self._url)) else 0
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-trial-", ignore_cleanup_errors=True)
        try:
            free = shutil.disk_usage(self._folder.name).free
            if free < 2 * needed:
                raise TrialFailed(f"no room for a copy: expected {2 * needed:,} bytes in {self._folder.name}, got"
                                  f" {free:,}. Free some, or say by TMPDIR where there is room; nothing was left"
                                  " behind")
            self._connection = sqlite3.connect(os.path.join(self._folder.name, "copy.db"), isolation_level=None)
            with closing(connect(self._url)) as source:
                source.backup(self._connection)
            self._connection.execute("pragma synchronous = off")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        self._folder.cleanup()

    def index(self, candidate: Candidate, work: Work, siblings: Sequence[Work], schema: Schema) -> Tried:
        if not work.runs:
            return self._fault("it is not run, since it may write: what it would take cannot be measured")
        works = [each for each in (work, *siblings) if each.runs]
        name = new_name()
        try:
            size = self._made(name, candidate)
            sides: tuple[list[list[Runs]], list[list[Runs]]] = ([[] for _ in works], [[] for _ in works])
            for number in range(self._rounds):
                both = list(zip(sides, ([name], list(candidate.replaces)), strict=True))
                for side, dropped in both if number % 2 == 0 else reversed(both):
                    for runs, each in zip(side, works, strict=True):
                        runs.append(self._run(each, dropped))
            cost = self._write_cost(candidate)
        except (sqlite3.Error, CannotExplain) as error:
            return self._fault(f"it could not be tried on a copy of the file, and nothing was left behind: {error}")
        finally:
            self._connection.execute(f"drop index if exists {quoted(name)}")
        seen = [Seen(work=each, before=best(old), after=best(new), measured_before=measure(old),
                     measured_after=measure(new)) for each, old, new in zip(works, *sides, strict=True)]
        return Tried(by=self.by, confidence="confirmed", seen=seen[0], siblings=tuple(seen[1:]), size=size,
                     write_cost=cost,
                     used=any(node.index == name for plan in seen[0].after for node in walk(plan.root)))

    def rewrite(self, before: Work, after: Work) -> Tried:
        if not (before.runs and after.runs):
            return self._fault("it is not run, since it may write: what it would take cannot be measured")
        rounds: tuple[list[Runs], list[Runs]] = ([], [])
        try:
            for number in range(self._rounds):
                both = list(zip(rounds, (before, after), strict=True))
                for runs, each in both if number % 2 == 0 else reversed(both):
                    runs.append(self._run(each, ()))
        except (sqlite3.Error, CannotExplain) as error:
            return self._fault(f"it could not be measured: {error}")
        seen = Seen(work=before, before=best(rounds[0]), after=best(rounds[1]), measured_before=measure(rounds[0]),
                    measured_after=measure(rounds[1]))
        return Tried(by=self.by, confidence="confirmed", seen=seen, used=True)

    def two_steps(self, work: Work, rewrite: Rewrite, calls: int) -> Tried:
        if not work.runs:
            return self._fault("it is not run, since it may write: what it would take cannot be measured")
        try:
            return two_steps(work, rewrite, calls, "sqlite", self._rounds, lambda each: self._run(each, ()),
                             lambda bound, most: [row[0] for row in self._connection.execute(
                                 bound.text, bound.named).fetchmany(most)], self.by)
        except (sqlite3.Error, CannotExplain) as error:
            return self._fault(f"it could not be measured: {error}")

    def _made(self, name: str, candidate: Candidate) -> int:
        """Build the index with its statistics, where there are any; its size in bytes."""
        def pages() -> int:
            count, free = (self._connection.execute(f"pragma {each}").fetchone()[0]
                           for each in ("page_count", "freelist_count"))
            return int(count - free)

        before = pages()
        self._connection.execute(create_index(candidate, name))
        size = (pages() - before) * int(self._connection.execute("pragma page_size").fetchone()[0])
        if self._connection.execute("select 1 from sqlite_master where name = 'sqlite_stat1'").fetchone():
            self._connection.execute(f"analyze {quoted(name)}")
        return size

    def _run(self, work: Work, dropped: Sequence[str]) -> Runs:
        plans, late = [], 0
        self._connection.execute("begin")
        try:
            for index in dropped:
                self._connection.execute(f"drop index {quoted(index)}")
            self._connection.execute("pragma query_only = on")
            for call in work.calls:
                try:
                    plans.append(ask(self._connection, call.bound, self._limits, analyse=True, parameters=call.label))
                except CannotExplain:
                    late += 1
                    plans.append(ask(self._connection, call.bound, self._limits, parameters=call.label))
        finally:
            self._connection.execute("pragma query_only = off")
            self._connection.execute("rollback")
        return Runs(tuple(plans), late, self._limits.statement_ms * 1000)

    def _write_cost(self, candidate: Candidate) -> WriteCost | None:
        """Time for each inserted row, as a thousand rows take it in tables of their own."""
        self._connection.execute("begin")
        try:
            table = quoted(candidate.table)
            self._connection.execute(f"create temp table given as select * from {table} limit {_ROWS}")
            rows = self._connection.execute("select count(*) from temp.given").fetchone()[0]
            took = []
            for indexed in (False, True):
                self._connection.execute("create table penstock_trial_rows as select * from temp.given where false")
                if indexed:
                    self._connection.execute(create_index(candidate, new_name(), table="penstock_trial_rows"))
                began = time.perf_counter()
                self._connection.execute("insert into penstock_trial_rows select * from temp.given")
                took.append(time.perf_counter() - began)
                self._connection.execute("drop table penstock_trial_rows")
            return WriteCost(insert_us=max(took[1] - took[0], 0.0) * 1_000_000 / rows) if rows else None
        except sqlite3.Error:
            return None
        finally:
            self._connection.execute("rollback")

    def _fault(self, why: str) -> Tried:
        return Tried(by=self.by, confidence="confirmed", fault=why)
