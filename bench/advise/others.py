"""What other advisers would say of the same statements, by their published rules and HypoPG; their code is not here.

- *index_advisor* (Supabase) makes a hypothetical index of each single column of the tables that begins none yet, and
  recommends those that the plan then uses.
- *dexter* makes hypothetical indexes of the columns that a statement filters, joins or sorts by, singly and in ordered
  pairs, and recommends those that the plan uses where its cost is at least halved.
- *pg_qualstats* gathers the conditions that were really executed, and joins those on one table by AND to one index. It
  is run itself, where a PostgreSQL of this machine has it.

All get the real parameters, which is to their advantage.
"""

import contextlib
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.advise.case import Case, Domain
from bench.advise.proposing import Connection, Outcome, filled
from bench.installed import find, started
from penstock.advise.asking.postgres.catalogue import read_schema
from penstock.advise.parsing.parse import parse
from penstock.domain.advice import Query, Schema

OTHERS = ("index_advisor", "dexter", "pg_qualstats")
_MOST_COLUMNS = 12


class Others:
    """Other advisers on a server with HypoPG; `url` is None where this machine has none."""

    def __init__(self, url: str | None = None, *, qualstats: bool = False) -> None:
        self.url = url
        self.qualstats = qualstats
        self.version = "HypoPG is not installed: not run"
        if url:
            with psycopg.connect(url) as connection:
                row = connection.execute("show server_version").fetchone()
                self.version = f"PostgreSQL {row[0].split()[0] if row else '?'} with HypoPG"

    @property
    def caption(self) -> str:
        notes = [f"others: {self.version}"]
        if self.url and not self.qualstats:
            notes.append("pg_qualstats was not run: this machine's PostgreSQL does not have it")
        return "; ".join(notes)

    def say(self, domain: Domain, rows: int, outcomes: list[Outcome]) -> None:
        """Ask them of the cases of one domain, whose outcomes are the last."""
        if self.url is None:
            return
        name = f"bench_{domain.name}"
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        with psycopg.connect(self.url, dbname=name, autocommit=True) as connection:
            connection.execute("create extension hypopg")
            if self.qualstats:
                connection.execute("create extension pg_qualstats")
            filled(connection, domain, rows)
            for each in outcomes[-len(domain.cases):]:
                query, schema = _parsed(connection, each.case)
                each.others["index_advisor"] = _used(connection, each.case, _singles(schema), 1.0)
                each.others["dexter"] = _used(connection, each.case, _pairs(query, schema), 2.0)
                if self.qualstats:
                    each.others["pg_qualstats"] = _qualstats(connection, each.case)


@contextlib.contextmanager
def others() -> Iterator[Others]:
    """What there is of them on this machine."""
    programs = find()
    if programs is None:
        yield Others()
        return
    version = programs.parent.name
    qualstats = Path(f"/usr/share/postgresql/{version}/extension/pg_qualstats.control").is_file()
    settings = ("shared_preload_libraries=pg_qualstats", "pg_qualstats.sample_rate=1") if qualstats else ()
    with started(*settings) as url:
        yield Others(url, qualstats=qualstats)


def _parsed(connection: Connection, case: Case) -> tuple[Query, Schema]:
    schema = read_schema(connection, parse(case.text, "postgres").tables)
    return parse(case.text, "postgres", schema, list(case.parameters)), schema


def _singles(schema: Schema) -> list[tuple[str, tuple[str, ...]]]:
    """Every column of every table that begins no index."""
    return [(table.name, (column.name,)) for table in schema.tables for column in table.columns
            if column.name not in {index.keys[0].column for index in table.indexes}]


def _pairs(query: Query, schema: Schema) -> list[tuple[str, tuple[str, ...]]]:
    """The columns that a statement filters, joins or sorts by: singly, and in ordered pairs."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for block in query.blocks:
        for source in block.sources:
            table = schema.table(source.table, source.schema)
            named = [(each.alias, each.column) for each in block.conditions]
            named += [(term.alias or "", term.column) for term in block.order]
            names = [column for alias, column in named if alias == source.alias and column]
            if table:
                columns = list(dict.fromkeys(names))[:_MOST_COLUMNS]
                found += [(table.name, (name,)) for name in columns]
                found += [(table.name, pair) for pair in permutations(columns, 2)]
    return found


def _used(connection: Connection, case: Case, columns: list[tuple[str, tuple[str, ...]]], gain: float) -> list[str]:
    """Which hypothetical indexes the plan uses, if it costs so many times less."""
    before = _cost(connection, case)[0]
    made: dict[str, str] = {}
    for table, names in dict.fromkeys(columns):
        definition = f"{table} ({', '.join(names)})"
        with contextlib.suppress(psycopg.Error):    # a type that no ordered index takes
            row = connection.execute("select indexname from hypopg_create_index(%s)",
                                     [f"create index on {definition}"]).fetchone()
            made[row[0] if row else ""] = definition
    after, used = _cost(connection, case)
    connection.execute("select hypopg_reset()")
    return [made[name] for name in used if name in made] if before >= after * gain and after < before else []


def _cost(connection: Connection, case: Case) -> tuple[float, list[str]]:
    row = connection.execute("explain (format json) " + case.text,
                             case.parameters or None).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan["Total Cost"], list(dict.fromkeys(_indexes(plan)))


def _indexes(node: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for each in node.get("Plans", []):
        yield from _indexes(each)


def _qualstats(connection: Connection, case: Case) -> list[str]:
    """What it recommends after the statement ran, as often as it takes to be noticed."""
    connection.execute("select pg_qualstats_reset()")
    for _ in range(5):
        with connection.transaction(force_rollback=True):
            connection.execute(case.text, case.parameters or None)
    row = connection.execute("select pg_qualstats_index_advisor(min_filter => 1, min_selectivity => 1)").fetchone()
    said = row[0] if row else {"indexes": []}
    return [_definition(each["ddl"] if isinstance(each, dict) else each) for each in said.get("indexes", [])]


def _definition(ddl: str) -> str:
    """`CREATE INDEX ON public.jobs USING btree (state)` as `jobs (state)`."""
    text = ddl.split(" ON ", 1)[1].replace(" USING btree", "").replace("public.", "")
    return text.strip()
