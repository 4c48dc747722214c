"""Runs one statement on a caller's own connection, whatever its driver, inside the transaction that is open there.

What is executed is built purely (`joining`), on what it is executed is found out once (`recognise`); the two ways to
carry it out, with and without `await`, are all that there is twice.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from penstock.domain.errors import UnknownConnection
from penstock.store.adapters.joining import Steps, steps, talk_steps
from penstock.store.adapters.link import Link
from penstock.store.adapters.recognise import kind_of
from penstock.store.port import Row, Store, Talk, Work, talked
from penstock.store.within import OURS, within

T = TypeVar("T")
_SELF_CHECK_SECONDS = 0.05


def insert(store: Store, name: str, params: Mapping[str, Any], connection: Any = None) -> list[Row]:
    """Run the statement `name`: on a caller's connection if one is given, else in a transaction of the store's own.

    Only the latter wakes the workers: inside a caller's transaction nothing is notified, since that would take a
    global lock at its commit. Raises `UnknownConnection`, and what the caller's driver raises.
    """
    if connection is not None:
        return _insert(connection, lambda link: steps(store, link, name, params))
    rows = store.write(lambda tx: tx.rows(name, params))
    store.wake()
    return rows


def insert_talk(store: Store, talk: Callable[[], Talk[list[T]]], connection: Any = None) -> list[T]:
    """The same for statements that follow from one another, in one transaction; `talk` begins anew with each call."""
    if connection is not None:
        return _insert(connection, lambda link: talk_steps(store, link, talk()))
    found = store.write(lambda tx: talked(tx, talk()))
    store.wake()
    return found


async def ainsert(store: Store, name: str, params: Mapping[str, Any], connection: Any = None) -> list[Row]:
    """The same without blocking the event loop, unless the connection given is one that blocks."""
    return await _ainsert(store, lambda tx: tx.rows(name, params), lambda link: steps(store, link, name, params),
                          connection)


async def ainsert_talk(store: Store, talk: Callable[[], Talk[list[T]]], connection: Any = None) -> list[T]:
    """The same without blocking the event loop, unless the connection given is one that blocks."""
    return await _ainsert(store, lambda tx: talked(tx, talk()), lambda link: talk_steps(store, link, talk()),
                          connection)


def _insert(connection: Any, wanted: Callable[[Link], Steps]) -> list[Any]:
    kind = kind_of(connection)
    if kind.asynchronous:
        raise UnknownConnection("this connection is asynchronous: use `await ….aenqueue(…)`, or the awaited form of"
                                " whatever else is called, with it")
    link = kind.open(connection)
    return _carry_out(link, wanted(link))


async def _ainsert(store: Store, work: Work[list[T]], wanted: Callable[[Link], Steps], connection: Any) -> list[T]:
    if connection is not None:
        kind = kind_of(connection)
        if not kind.asynchronous:
            return _insert(connection, wanted)
        link = kind.open(connection)
        if inspect.isawaitable(link):
            link = await link
        return await _acarry_out(link, wanted(link))
    loop = asyncio.get_running_loop()
    future: Future[list[T]] = await loop.run_in_executor(None, store.submit, work)
    waiting = asyncio.wrap_future(future)
    while not (await asyncio.wait({waiting}, timeout=_SELF_CHECK_SECONDS))[0]:
        store.refuse_self_lock(future)  # in this thread, since it is the one that may hold the lock
    rows = await waiting
    await loop.run_in_executor(None, store.wake)
    return rows


def _carry_out(link: Link, steps: Steps) -> list[Any]:
    before = within.set(OURS)
    try:
        step = next(steps)
        while True:
            try:
                rows = link.run(*link.form(*step))
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(rows)
    except StopIteration as done:
        return list(done.value)
    finally:
        within.reset(before)


async def _acarry_out(link: Link, steps: Steps) -> list[Any]:
    before = within.set(OURS)
    try:
        step = next(steps)
        while True:
            try:
                rows = await link.run(*link.form(*step))
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(rows)
    except StopIteration as done:
        return list(done.value)
    finally:
        within.reset(before)
