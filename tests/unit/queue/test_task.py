"""Tasks and signatures, without any store: what is wrong is said where it was written."""

import inspect
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import DeclarationError, InvalidArguments
from penstock.domain.jobs import Call


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Penstock]:
    """An app whose store cannot be opened, and is not."""
    with Penstock(f"sqlite:///{tmp_path}/missing/store.db") as app:
        yield app


@pytest.mark.parametrize(("args", "kwargs", "fault"), [
    ((), {}, "missing a required argument: 'offer'"),
    ((1, "x", 3), {}, "too many positional arguments"),
    ((1,), {"colour": 1}, "unexpected keyword argument 'colour'"),
    (("seven",), {}, r"Expected `int`, got `str` - at `\$.offer`"),
    ((1,), {"note": 5}, r"Expected `str`, got `int` - at `\$.note`"),
    ((None,), {}, "Expected `int`, got `null`"),
    ((object(),), {}, "argument 'offer': a value of type object cannot be written as JSON"),
    ((1,), {"note": "\ud800"}, "argument 'note'"),
    ((1,), {"note": {1: object()}}, "argument 'note': a value of type object"),
])
def test_what_does_not_fit_fails_in_its_caller(app: Penstock, args: Any, kwargs: Any, fault: str):
    @app.task(name="remind")
    def remind(offer: int, note: str = "") -> None: ...

    with pytest.raises(InvalidArguments, match=fault) as caught:
        remind.enqueue(*args, **kwargs)
    assert str(caught.value).startswith("remind(offer: int, note: str = '')")


def test_endless_nesting_fails_in_its_caller(app: Penstock):
    @app.task
    def take(value: Any) -> None: ...

    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidArguments, match="argument 'value'"):
        take.enqueue(loop)


def test_a_signature_that_cannot_come_from_json_is_refused_at_once(app: Penstock):
    def missing(value: int) -> None: ...

    def broken(value: int) -> None: ...

    missing.__annotations__["value"] = "NoSuchType"
    broken.__annotations__["value"] = "Penstock.nothing"
    for function in (missing, broken):
        with pytest.raises(DeclarationError, match="a type in its signature cannot be found"):
            app.task(function)


def test_a_generator_is_no_task(app: Penstock):
    def stream(count: int) -> Any:
        yield count

    with pytest.raises(DeclarationError, match="got a generator"):
        app.task(stream)
    assert "stream" not in str(app.tasks)


@pytest.mark.parametrize("options", [{"priority": 1.5}, {"priority": 2**31}, {"priority": True}, {"priority": "1"},
                                     {"queue": "Bad Name"}, {"queue": ""}])
def test_an_option_that_cannot_be_is_refused_where_it_is_given(app: Penstock, options: dict[str, Any]):
    def remind(offer: int) -> None: ...

    with pytest.raises(InvalidArguments, match="expected"):
        app.task(remind).using(**options)
    with pytest.raises(DeclarationError, match="expected"):
        app.task(**options)(remind)


def test_a_name_is_given_once(app: Penstock):
    app.task(name="send")(lambda: None)
    with pytest.raises(DeclarationError, match="'send' is declared already"):
        app.task(name="send")(lambda: None)


def test_a_task_is_named_after_its_function_and_stays_like_it(app: Penstock):
    @app.task
    def send(offer: int) -> int:
        """Send it."""
        return offer + 1

    assert send(4) == 5
    assert send.name == f"{__name__}.{send.function.__qualname__}"
    assert (send.__doc__, send.__name__) == ("Send it.", "send")
    assert list(inspect.signature(send).parameters) == ["offer"]
    assert repr(send) == f"<Task {send.name}>"


def test_a_call_is_a_shape_and_its_arguments(app: Penstock):
    @app.task(name="send", queue="mail", priority=2)
    def send(offer: int) -> None: ...

    shape = {"task": "send", "queue": "mail", "priority": 2, "max_attempts": 20, "run_at": None, "delay_ms": 0,
             "tags": None, "deadline_at": None, "deadline_ms": None, "keeps": None, "period_ms": None, "conflict": None,
             "keyed": False, "sealed": False, "held": False, "batch": None}
    assert send.call(1) == Call(shape, '{"offer":1}', None)
    later = send.using(run_after=timedelta(seconds=1.5), priority=0, tags=["offer:1"], deadline=timedelta(seconds=9))
    assert later.call(1).shape == shape | {"priority": 0, "delay_ms": 1_500, "tags": ["offer:1"], "deadline_ms": 9_000}


@pytest.mark.parametrize(("run_after", "fault"), [
    (datetime(2030, 1, 1), "naive 2030-01-01T00:00:00: add tzinfo=UTC"),  # noqa: DTZ001
    (5, "expected a timedelta or a datetime, got 5"),
])
def test_a_run_after_that_cannot_be(app: Penstock, run_after: Any, fault: str):
    def remind(offer: int) -> None: ...

    with pytest.raises(InvalidArguments, match=fault):
        app.task(remind).using(run_after=run_after).enqueue(1)
