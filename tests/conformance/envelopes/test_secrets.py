"""Marked values: they are stored and handed to the body, and shown to nobody."""

import logging
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from penstock import Penstock, Secret
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.queue.claim import settle
from penstock.testing import assert_enqueued
from tests.clock import Clock
from tests.engine import Engine


@dataclass
class Login:
    user: str
    password: Annotated[str, Secret]


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    return Engine(app, clock)


def test_marked_values_are_kept_run_with_and_not_shown(app: Penstock, engine: Engine):
    got: list[Any] = []

    @app.task(name="connect")
    def connect(host: str, token: Annotated[str, Secret], logins: list[Login], note: str = "") -> None:
        got.append((host, token, logins))
        raise PermissionError(f"{host} refused {token} and {logins[0].password}")

    job = connect.enqueue("db.example.com", "tok-123", [Login("ann", "pw-456")], note="x")
    row, revealed = app.job(job.id), app.job(job.id, reveal=True)
    assert row is not None
    assert revealed is not None
    assert row.arguments == ('{"host":"db.example.com","token":"•••","logins":[{"user":"ann","password":"•••"}],'
                             '"note":"x"}')
    assert "tok-123" in revealed.arguments
    told: list[Any] = []
    app.listen(told.append)
    [claimed] = engine.claim("default")
    settle(app.store.control, [engine.execute(claimed)])
    assert got == [("db.example.com", "tok-123", [Login("ann", "pw-456")])]
    row = app.job(job.id)
    assert row is not None
    assert "db.example.com refused ••• and •••" in (row.error or "")
    assert "tok-123" not in f"{row}{told}"
    with pytest.raises(AssertionError) as failure:
        assert_enqueued(app, connect, "other", "tok-789")
    assert "tok-" not in str(failure.value)


def test_what_does_not_fit_is_said_without_the_value(app: Penstock, caplog: pytest.LogCaptureFixture):
    @app.task(name="take")
    def take(code: Annotated[int, Secret] = 4711, plan: Annotated[str, Secret] = "gold plan") -> None: ...

    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidArguments) as refused:
        take.enqueue(code="secret code")  # type: ignore[arg-type]
    assert "secret code" not in str(refused.value)
    assert "4711" not in str(refused.value)
    assert "gold" not in str(refused.value)
    assert "secret code" not in caplog.text


def test_arguments_of_an_older_version_are_hidden_by_the_names_of_this_one(store_url: str, app: Penstock, clock: Clock):
    @app.task(name="take")
    def old(pw: str, host: str) -> None: ...

    job = old.enqueue("hunter2", "h")
    for step, expected in ((lambda given: {"password": given["pw"], "host": given["host"]},
                            '{"password":"•••","host":"h"}'), (lambda given: 1 / 0, '"(of version 1)"')):
        with Penstock(store_url, now=clock.expression) as new:
            @new.task(name="take", version=2, upgrade={1: step})
            def take(password: Annotated[str, Secret], host: str) -> None: ...

            row = new.job(job.id)
            assert row is not None
            assert row.arguments == expected


def test_a_key_of_what_is_marked_is_refused(app: Penstock):
    with pytest.raises(DeclarationError, match="serial: the values of 'token' are encrypted or marked as secret"):
        @app.task(serial="token")
        def take(token: Annotated[str, Secret]) -> None: ...
