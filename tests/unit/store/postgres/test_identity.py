"""Whether a connection leads to the store's own database, from what it answers."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.store.port import Row
from penstock.store.postgres.identity import Identity

OWN: Row = ("app", 1_000_001, False)


class Connection:
    """What a driver gives; asyncpg's pool lends it inside of another."""


class Lent:
    __slots__ = ("_con",)

    def __init__(self, connection: Connection) -> None:
        self._con = connection


def unasked() -> Row:
    raise AssertionError("the store need not be asked")


def judged(identity: Identity, connection: Any, answer: Row) -> str | None:
    question = identity.question(connection)
    assert question is not None
    assert question.name == "whereabouts"
    return question.fault([answer])


def test_a_connection_to_the_same_database_is_asked_once():
    identity, connection = Identity(OWN, unasked), Connection()
    assert judged(identity, connection, OWN) is None
    assert identity.question(connection) is None
    assert identity.question(Connection()) is not None


def test_a_connection_on_loan_is_known_by_the_one_within():
    identity, connection = Identity(OWN, unasked), Connection()
    assert judged(identity, Lent(connection), OWN) is None
    assert identity.question(Lent(connection)) is None


@pytest.mark.parametrize(("answer", "fault"), [
    (("other", 1_000_001, False), "a connection to database 'other', not 'app'"),
    (("other", 2_000_002, True), "a connection to database 'other', not 'app'"),
    (("app", 1_000_002, False), "a connection to a database 'app' on another server"),
])
def test_a_connection_to_elsewhere_is_named_and_asked_again(answer: Row, fault: str):
    identity, connection = Identity(OWN, lambda: OWN), Connection()
    for _ in range(2):
        assert judged(identity, connection, answer) == fault


def test_a_replica_that_answers_for_its_primary_is_believed_for_now():
    """A load balancer sends it what only reads; the insert goes to the primary, or fails by itself."""
    identity, connection = Identity(OWN, lambda: OWN), Connection()
    assert judged(identity, connection, ("app", 2_000_002, True)) is None
    assert identity.question(connection) is not None


@pytest.mark.parametrize("own", [OWN, None])
def test_a_server_that_was_started_anew_is_recognised(own: Row | None):
    started: Row = ("app", 3_000_003, False)
    asked: list[Callable[[], Row]] = []

    def ask() -> Row:
        asked.append(ask)
        return started

    identity = Identity(own, ask)
    assert judged(identity, Connection(), started) is None
    assert judged(identity, Connection(), started) is None
    assert len(asked) == 1


def test_what_has_gone_is_forgotten():
    identity, connection = Identity(OWN, unasked), Connection()
    judged(identity, connection, OWN)
    assert len(identity._proven) == 1
    del connection
    assert len(identity._proven) == 0
