"""A SQLite file that may be explained: EXPLAIN QUERY PLAN, and counting the steps of its machine where running is
allowed."""

import re
import sqlite3
import time
from collections.abc import Sequence
from types import TracebackType

from penstock.advise.asking.binding import Bound
from penstock.advise.asking.database import USUAL, CannotExplain, Limits
from penstock.advise.asking.sqlite.catalogue import read_schema
from penstock.advise.asking.sqlite.connection import Clocked, connect
from penstock.domain.advice import Dialect, Node, Plan, Query, Safety, Schema
from penstock.domain.plans import plan

_DETAIL = re.compile(
    r"(?P<kind>SEARCH|SCAN) (?P<table>\S+)(?: AS (?P<alias>\S+))?"
    r"(?: USING (?:(?:AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?INDEX (?P<index>\S+)|(?P<key>INTEGER PRIMARY KEY)))?"
    r"(?: \((?P<condition>.*)\))?")


class Sqlite:
    """The file at `url`, for as long as it is entered."""

    dialect: Dialect = "sqlite"

    def __init__(self, url: str, limits: Limits = USUAL) -> None:
        self.url = url
        self.limits = limits
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> "Sqlite":
        self.connection = connect(self.url)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.connection.close()

    def schema(self, tables: Sequence[tuple[str | None, str]]) -> Schema:
        try:
            return read_schema(self.connection, tables)
        except sqlite3.Error as error:
            raise CannotExplain(f"the file's schema could not be read: {error}") from error

    def doubts(self, query: Query, safety: Safety, schema: Schema) -> tuple[str, ...]:
        """Functions of one's own are those of a connection, and this one has none."""
        return ()

    def explain(self, bound: Bound, *, analyse: bool = False, parameters: str | None = None) -> Plan:
        return ask(self.connection, bound, self.limits, analyse=analyse, parameters=parameters)


def ask(connection: sqlite3.Connection, bound: Bound, limits: Limits, *, analyse: bool = False,
        parameters: str | None = None) -> Plan:
    """One plan. With `analyse`, the cost is how many steps SQLite's machine made, in thousands rounded up."""
    try:
        rows = connection.execute(f"explain query plan {bound.text}", bound.named).fetchall()
        children: dict[int, list[tuple[int, str]]] = {}
        for number, parent, _, detail in rows:
            children.setdefault(parent, []).append((number, detail))
        below = _nodes(children, 0)
        if not analyse:
            return plan(Node(kind="QUERY", children=below), parameters=parameters)
        began = time.perf_counter()
        with Clocked(connection, limits.statement_ms) as clocked:
            counted = sum(1 for _ in connection.execute(bound.text, bound.named))
        took_us = round((time.perf_counter() - began) * 1_000_000)
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise CannotExplain(f"it took longer than the {limits.statement_ms:,} ms that it may take here") from error
        raise CannotExplain(f"the database refused it: {error}") from error
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise CannotExplain(f"the database refused it: {error}") from error
    root = Node(kind="QUERY", children=below, actual_rows=float(counted), took_us=took_us, cost=float(clocked.steps))
    return plan(root, parameters=parameters, analysed=True)


def _nodes(children: dict[int, list[tuple[int, str]]], parent: int) -> tuple[Node, ...]:
    return tuple(_node(detail, _nodes(children, number)) for number, detail in children.get(parent, ()))


def _node(detail: str, below: tuple[Node, ...]) -> Node:
    found = _DETAIL.fullmatch(detail)
    if not found:
        return Node(kind=detail, children=below)
    index = found["index"] or ("INTEGER PRIMARY KEY" if found["key"] else None)
    return Node(kind=found["kind"], table=found["table"], alias=found["alias"], index=index,
                condition=found["condition"], children=below)
