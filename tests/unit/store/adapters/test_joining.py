"""What is executed on a caller's connection, step by step, without any."""

import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.domain.errors import UnknownConnection
from penstock.store.adapters import forms, joining
from penstock.store.adapters.joining import steps
from penstock.store.adapters.link import Link
from penstock.store.port import Question
from penstock.store.statements import Compiled, Dialect


@dataclass
class Driver:
    """A connection in some state."""

    in_transaction: bool = True


class Store:
    """A store of which only this is asked."""

    def __init__(self, dialect: Dialect, question: Question | None = None) -> None:
        self.dialect = dialect
        self.question = question

    def owns(self, connection: object) -> Question | None:
        return self.question

    def compile(self, name: str) -> Compiled:
        if self.dialect == "postgres":
            return Compiled(f"{name} %(a)s", ("a",), (f"{name} %(a)s",))
        parts = (name,) if name in ("single", "touch") else (f"{name} 1", f"{name} 2")
        return Compiled("; ".join(parts), ("a",), parts)


@pytest.fixture(autouse=True)
def sound_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "has_reset_bug", lambda version: False)


def begun(store: Store, name: str, driver: Any = None) -> Any:
    link = Link(driver, store.dialect, forms.as_compiled, lambda sql, params: [])
    return steps(store, link, name, {"a": 1, "b": 2})  # type: ignore[arg-type]


def executed(generator: Any, fails_at: str | None = None, error: type[BaseException] = sqlite3.IntegrityError) -> Any:
    """The SQL that is yielded, and the rows or the error that come out in the end."""
    seen: list[str] = []
    try:
        step = next(generator)
        while True:
            seen.append(step[0])
            step = generator.throw(error()) if step[0] == fails_at else generator.send([(step[0],)])
    except StopIteration as done:
        return seen, done.value
    except (sqlite3.Error, KeyboardInterrupt) as raised:
        return seen, type(raised)


def test_one_statement_on_postgresql_with_its_own_parameters_only():
    generator = begun(Store("postgres"), "enqueue")
    assert next(generator) == ("enqueue %(a)s", {"a": 1})
    assert executed(begun(Store("postgres"), "enqueue")) == (["enqueue %(a)s"], [("enqueue %(a)s",)])


def test_the_other_kind_of_database_is_not_even_asked():
    link = Link(None, "sqlite", forms.as_compiled, lambda sql, params: [])
    with pytest.raises(UnknownConnection, match="the store is postgres, the connection is sqlite"):
        next(steps(Store("postgres"), link, "enqueue", {}))  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", [None, "a connection to elsewhere"])
def test_a_connection_that_is_not_known_is_asked_first(fault: str | None):
    generator = begun(Store("postgres", Question("whereabouts", lambda rows: fault)), "enqueue")
    assert next(generator) == ("whereabouts %(a)s", {})
    if fault is None:
        assert generator.send([]) == ("enqueue %(a)s", {"a": 1})
        return
    with pytest.raises(UnknownConnection, match="got a connection to elsewhere: leave out connection="):
        generator.send([])


GROUP = ["savepoint penstock", "enqueue 1", "enqueue 2", "release penstock"]


@pytest.mark.parametrize(("driver", "first"), [
    (Driver(), []),
    (Driver(in_transaction=False), ["touch"]),
])
def test_on_sqlite_it_is_left_to_the_driver_whether_to_begin(driver: Driver, first: list[str]):
    assert executed(begun(Store("sqlite"), "enqueue", driver)) == ([*first, *GROUP], [("enqueue 2",)])
    assert executed(begun(Store("sqlite"), "single", driver)) == ([*first, "single"], [("single",)])


@pytest.mark.parametrize("error", [sqlite3.IntegrityError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_on_sqlite_a_group_that_fails_leaves_nothing_behind(at: int, error: type[BaseException]):
    seen, outcome = executed(begun(Store("sqlite"), "enqueue", Driver()), GROUP[at], error)
    assert seen == [*GROUP[:at + 1], "rollback to penstock", "release penstock"]
    assert outcome is error


def test_on_sqlite_an_error_that_ended_the_transaction_is_not_made_worse():
    driver = Driver()
    generator = begun(Store("sqlite"), "enqueue", driver)
    for step in GROUP[:2]:
        assert (next(generator) if step == GROUP[0] else generator.send([]))[0] == step
    driver.in_transaction = False
    with pytest.raises(sqlite3.OperationalError, match="disk full"):
        generator.throw(sqlite3.OperationalError("disk full"))


def test_on_sqlite_the_first_error_comes_out_where_undoing_fails_too():
    seen, outcome = executed(_failing_twice(begun(Store("sqlite"), "enqueue", Driver())))
    assert seen == [*GROUP[:2], "rollback to penstock"]
    assert outcome is sqlite3.IntegrityError


def _failing_twice(steps: Any) -> Any:
    """The same steps, of which the first part and what undoes it fail."""
    step = next(steps)
    while True:
        rows = yield step
        fault = {"enqueue 1": sqlite3.IntegrityError, "rollback to penstock": sqlite3.OperationalError}.get(step[0])
        step = steps.throw(fault()) if fault else steps.send(rows)


def test_steps_that_are_dropped_end_quietly():
    generator = begun(Store("sqlite"), "enqueue", Driver())
    next(generator)
    generator.send([])
    generator.close()


def test_a_sqlite_that_may_corrupt_is_kept_from_checkpoints(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(joining, "has_reset_bug", lambda version: True)
    seen, _ = executed(begun(Store("sqlite"), "single", Driver()))
    assert seen == ["pragma wal_autocheckpoint = 0", "single"]
