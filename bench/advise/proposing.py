"""What is proposed for each case, and what it comes to when it is built: blocks and time, on the real tables."""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from bench.advise.case import Case, Domain
from penstock.advise.asking.postgres.catalogue import read_schema
from penstock.advise.parsing.parse import parse
from penstock.advise.proposing.naming import columns_sql
from penstock.advise.proposing.propose import propose
from penstock.domain.advice import Proposal

Connection = psycopg.Connection[tuple[Any, ...]]
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Ran:
    """One way to run a statement: the blocks that it touches and the milliseconds that it takes."""

    blocks: int
    took_ms: float


@dataclass(slots=True)
class Outcome:
    """What was proposed for a case, and what came of it. `useless` are proposals that did not halve blocks or time."""

    domain: str
    case: Case
    definitions: list[str]
    right: bool
    unexplained: list[str]
    before: Ran
    after: Ran | None = None
    best: Ran | None = None
    useless: list[str] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)


def filled(connection: Connection, domain: Domain, rows: int) -> None:
    """Make the tables of a domain, fill and analyse them."""
    for statement in domain.tables.replace("{rows}", str(rows)).split(";\n"):
        if statement.strip():
            connection.execute(sql.SQL(statement))
    connection.execute("vacuum (analyze)")


def outcome(connection: Connection, domain: str, case: Case) -> Outcome:
    """Propose, compare with what is known to be right, and build every proposal to see whether it helps."""
    proposal = proposed(connection, case)
    definitions = [f"{each.table} {columns_sql(each, 'postgres')}" for each in proposal.candidates]
    found = Outcome(domain=domain, case=case, definitions=definitions, right=case.right(definitions),
                    unexplained=unexplained(proposal, case), before=ran(connection, case))
    for place, definition in enumerate(definitions):
        # What is proposed for another table is meant beside what comes before it.
        beside = [each for each in definitions[:place] if each.split()[0] != definition.split()[0]]
        with built(connection, [*beside, definition]):
            after = ran(connection, case)
        with built(connection, beside):
            without = ran(connection, case)
        found.after = found.after or after
        if not helps(without, after):
            found.useless.append(definition)
    if case.best:
        with built(connection, [case.best[0]]):
            found.best = ran(connection, case)
    return found


def proposed(connection: Connection, case: Case) -> Proposal:
    """What `propose` says, from the text, its parameters and the database's own statistics."""
    schema = read_schema(connection, parse(case.text, "postgres").tables)
    return propose(case.text, schema, list(case.parameters))


def unexplained(proposal: Proposal, case: Case) -> list[str]:
    """What was rejected without a reason; and a statement for which nothing is proposed, and nothing said."""
    silent = [each.what for each in proposal.rejections if len(each.reason.split()) < 3]
    if not proposal.candidates and not proposal.rejections:
        silent.append(case.name)
    return silent


def helps(before: Ran, after: Ran) -> bool:
    """Whether an index halves what a statement reads, or its time."""
    return after.blocks * 2 <= before.blocks or after.took_ms * 2 <= before.took_ms


@contextmanager
def built(connection: Connection, definitions: list[str]) -> Iterator[None]:
    """Real indexes for as long as this lasts."""
    names = []
    try:
        for number, definition in enumerate(definitions):
            names.append(f"bench_trial_{number}")
            connection.execute(sql.SQL(f"create index {names[-1]} on {definition}"))
        if definitions:
            for table in {definition.split()[0] for definition in definitions}:
                connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(table)))
        yield
    finally:
        for name in names:
            connection.execute(sql.SQL("drop index if exists {}").format(sql.Identifier(name)))


def ran(connection: Connection, case: Case) -> Ran:
    """Run a statement some times; what changes rows is rolled back."""
    blocks, times = [], []
    for _ in range(_ROUNDS):
        with connection.transaction(force_rollback=True):
            row = connection.execute(
                "explain (analyze, buffers, timing off, format json) " + case.text,
                case.parameters or None).fetchone()
        assert row is not None
        plan = row[0][0]
        blocks.append(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])
        times.append(plan["Execution Time"] + plan["Planning Time"] * 0)
    return Ran(min(blocks), statistics.median(times))
