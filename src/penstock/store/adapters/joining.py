"""What is executed on a caller's connection, step by step, and what is not: no commit, no notification, no lock but
those of the rows that are written.

A step is yielded and its rows are sent back in, so one generator serves synchronous and asynchronous connections. An
error of the driver is thrown in and comes out again as it is, since the transaction that it ends is the caller's.
"""

import contextlib
import sqlite3
from collections.abc import Generator
from typing import Any, TypeVar

from penstock.domain.errors import UnknownConnection
from penstock.store.adapters.link import Link, Params
from penstock.store.port import Row, Store, Talk
from penstock.store.sqlite.connection import arrays_as_json, has_reset_bug
from penstock.store.statements import Compiled

T = TypeVar("T")
Step = tuple[str, Params]
Steps = Generator[Step, list[Row], list[Row]]

_REMEDY = "leave out connection=, or put the store where the application's tables are"


def steps(store: Store, link: Link, name: str, params: Params) -> Steps:
    """Run the statement `name` and return its rows. Raises `UnknownConnection` before anything is written."""
    yield from _checked(store, link)
    return (yield from _statement(store, link, name, params))


def talk_steps(store: Store, link: Link, talk: Talk[list[Any]]) -> Generator[Step, list[Row], list[Any]]:
    """Run what a talk asks for, one statement after the other, and return what it comes to."""
    yield from _checked(store, link)
    asked = _talk(store, link, talk)
    return (yield from (_whole(store, link.driver, asked) if link.dialect == "sqlite" else asked))


def _checked(store: Store, link: Link) -> Generator[Step, list[Row], None]:
    if store.dialect != link.dialect:
        raise UnknownConnection(f"the store is {store.dialect}, the connection is {link.dialect}: a transaction cannot"
                                f" span both; {_REMEDY}")
    question = store.owns(link.driver)
    if question is not None:
        found = yield store.compile(question.name).sql, {}
        if fault := question.fault(found):
            raise UnknownConnection(f"expected a connection to the store, got {fault}: {_REMEDY}")


def _talk(store: Store, link: Link, talk: Talk[list[Any]]) -> Generator[Step, list[Row], list[Any]]:
    try:
        ask = next(talk)
        while True:
            ask = talk.send((yield from _statement(store, link, *ask)))
    except StopIteration as done:
        return list(done.value)


def _statement(store: Store, link: Link, name: str, params: Params) -> Steps:
    compiled = store.compile(name)
    if link.dialect != "sqlite":
        return (yield compiled.sql, {name: params[name] for name in compiled.names})
    given = arrays_as_json(params)
    if len(compiled.parts) > 1:
        return (yield from _whole(store, link.driver, _parts(compiled, given)))
    yield from _begun(store, link.driver)
    return (yield compiled.parts[0], given)


def _parts(compiled: Compiled, params: Params) -> Steps:
    rows: list[Row] = []
    for part in compiled.parts:
        rows = yield part, params
    return rows


def _begun(store: Store, driver: Any) -> Generator[Step, list[Row], None]:
    if has_reset_bug(sqlite3.sqlite_version_info):
        yield "pragma wal_autocheckpoint = 0", {}  # ADR 003
    if not driver.in_transaction:
        # Unless it was told not to, sqlite3 begins a transaction by itself before an INSERT, UPDATE or DELETE, but does
        # not recognise one behind a WITH, nor before a savepoint, whose release would then commit.
        yield store.compile("touch").sql, {}


def _whole(store: Store, driver: Any, steps: Generator[Step, list[Row], T]) -> Generator[Step, list[Row], T]:
    """On SQLite: an error undoes all of these steps, and nobody writes in between, whether a transaction is open or
    not."""
    yield from _begun(store, driver)
    yield "savepoint penstock", {}
    try:
        result = yield from steps
        yield "release penstock", {}
    except GeneratorExit:
        raise
    except BaseException:
        if driver.in_transaction:  # some errors roll back everything at once
            with contextlib.suppress(sqlite3.Error):
                yield "rollback to penstock", {}
                yield "release penstock", {}
        raise
    return result
