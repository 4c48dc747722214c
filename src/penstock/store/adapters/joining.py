"""What is executed on a caller's connection, step by step, and what is not: no commit, no notification, no lock but
those of the rows that are written.

A step is yielded and its rows are sent back in, so one generator serves synchronous and asynchronous connections. An
error of the driver is thrown in and comes out again as it is, since the transaction that it ends is the caller's.
"""

import contextlib
import sqlite3
from collections.abc import Generator
from typing import Any

from penstock.domain.errors import UnknownConnection
from penstock.store.adapters.link import Link, Params
from penstock.store.port import Row, Store
from penstock.store.sqlite.connection import arrays_as_json, has_reset_bug
from penstock.store.statements import Compiled

Step = tuple[str, Params]
Steps = Generator[Step, list[Row], list[Row]]

_REMEDY = "leave out connection=, or put the store where the application's tables are"


def steps(store: Store, link: Link, name: str, params: Params) -> Steps:
    """Run the statement `name` and return its rows. Raises `UnknownConnection` before anything is written."""
    if store.dialect != link.dialect:
        raise UnknownConnection(f"the store is {store.dialect}, the connection is {link.dialect}: a transaction cannot"
                                f" span both; {_REMEDY}")
    question = store.owns(link.driver)
    if question is not None:
        found = yield store.compile(question.name).sql, {}
        if fault := question.fault(found):
            raise UnknownConnection(f"expected a connection to the store, got {fault}: {_REMEDY}")
    compiled = store.compile(name)
    if link.dialect == "sqlite":
        return (yield from _on_sqlite(store, link.driver, compiled, arrays_as_json(params)))
    return (yield compiled.sql, {name: params[name] for name in compiled.names})


def _on_sqlite(store: Store, driver: Any, compiled: Compiled, params: Params) -> Steps:
    if has_reset_bug(sqlite3.sqlite_version_info):
        yield "pragma wal_autocheckpoint = 0", {}  # ADR 003
    if not driver.in_transaction:
        # Unless it was told not to, sqlite3 begins a transaction by itself before an INSERT, UPDATE or DELETE, but does
        # not recognise one behind a WITH, nor before a savepoint, whose release would then commit.
        yield store.compile("touch").sql, {}
    *first, last = compiled.parts
    if not first:
        return (yield last, params)
    yield "savepoint penstock", {}
    try:
        for part in first:
            yield part, params
        rows = yield last, params
        yield "release penstock", {}
    except GeneratorExit:
        raise
    except BaseException:
        if driver.in_transaction:  # some errors roll back everything at once
            with contextlib.suppress(sqlite3.Error):
                yield "rollback to penstock", {}
                yield "release penstock", {}
        raise
    return rows

