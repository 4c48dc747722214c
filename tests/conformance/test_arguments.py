"""Arguments: what fits a task's signature arrives as it was given; what does not fails in its caller."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from penstock import Penstock
from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import JobState
from tests.clock import Clock
from tests.engine import Engine


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Offer:
    id: int
    names: list[str]
    price: Decimal


VALUES: list[tuple[Any, Any]] = [
    (str, "plain"), (str, ""), (str, "NUL \0 inside"), (str, "quotes ' \" \\ \\u0000 %s :name"), (str, "Ünïcödé 🦦"),
    (str, "  line\nbreaks\u2028 "), (int, -(2**63)), (int, 2**64 - 1), (int, 2**70),
    (float, 0.1), (float, 1e300), (bool, True),
    (bytes, b"\0\xff"), (type(None), None), (int | None, None), (list[int], [1, 2, 3]), (dict[str, int], {"a\0": 1}),
    (tuple[int, str], (1, "x")), (set[int], {1, 2}), (datetime, datetime(2027, 1, 1, 12, tzinfo=UTC)),
    (date, date(2027, 1, 1)), (timedelta, timedelta(minutes=5)), (UUID, UUID(int=5)), (Decimal, Decimal("1.10")),
    (Colour, Colour.RED), (Offer, Offer(1, ["a", "b"], Decimal("9.99"))), (list[Offer], [Offer(1, [], Decimal(0))]),
    (Any, {"deep": [1, None, {"er": "x"}]}),
]


def test_a_value_arrives_as_it_was_given(app: Penstock, clock: Clock):
    received: list[Any] = []
    engine = Engine(app, clock)
    for number, (kind, value) in enumerate(VALUES):
        def take(value: Any) -> None:
            received.append(value)

        take.__annotations__["value"] = kind
        app.task(take, name=f"take{number}").enqueue(value)
    for job in engine.claim("default", len(VALUES)):
        assert engine.execute(job).state == JobState.COMPLETED
    assert received == [value for _, value in VALUES]
    assert list(map(type, received)) == [type(value) for _, value in VALUES]


def test_every_way_to_pass_an_argument(app: Penstock, clock: Clock):
    received: list[Any] = []

    @app.task
    def take(a: int, /, b: int, c: int = 30, *rest: int, d: int, e: str = "default", **more: int) -> None:
        received.append((a, b, c, rest, d, e, more))

    engine = Engine(app, clock)
    take.enqueue(1, 2, d=4)
    take.enqueue(1, b=2, d=4, c=3, e="given", f=6)
    take.enqueue(1, 2, 3, 31, 32, d=4, a=7)
    for job in engine.claim("default", 10):
        assert engine.execute(job).state == JobState.COMPLETED
    assert received == [(1, 2, 30, (), 4, "default", {}), (1, 2, 3, (), 4, "given", {"f": 6}),
                        (1, 2, 3, (31, 32), 4, "default", {"a": 7})]


def test_a_default_is_taken_where_the_job_runs(app: Penstock, clock: Clock):
    received: list[int] = []

    def take(number: int = 1) -> None:
        received.append(number)

    app.task(take, name="take").enqueue()
    take.__defaults__ = (2,)  # a newer version of the code
    engine = Engine(app, clock)
    engine.execute(engine.claim("default")[0])
    assert received == [2]


def test_one_bad_call_keeps_all_of_its_batch_out(app: Penstock, clock: Clock):
    @app.task
    def take(value: int) -> None: ...

    with pytest.raises(InvalidArguments):
        app.enqueue_many(take.call(value) for value in [1, 2, "x"])  # type: ignore[arg-type]
    assert clock.fetch("select count(*) from penstock.jobs") == [(0,)]


def test_arguments_that_no_longer_fit_fail_the_attempt(app: Penstock, clock: Clock):
    app.task(lambda number: None, name="take").enqueue("text")
    del app.tasks["take"]

    def take(number: int) -> None: ...

    app.task(take, name="take")
    engine = Engine(app, clock)
    row = engine.execute(engine.claim("default")[0])
    assert (row.state, row.error_class) == (JobState.RETRYABLE, "InvalidArguments")
    assert "Expected `int`, got `str`" in (row.error or "")
