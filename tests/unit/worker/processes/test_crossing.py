"""What a body came to crosses by name, and decides on the other side as it would have decided here."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from penstock import Cancel, Retry, Snooze
from penstock.domain.errors import (
    GateClosed,
    JobCancelled,
    JobStalled,
    JobTimedOut,
    Limited,
    OutOfTime,
    RaisedInProcess,
    StaleLease,
    Stopping,
    Throttled,
    Unavailable,
)
from penstock.domain.jobs import class_of, text_of
from penstock.domain.plain import Unwritable
from penstock.domain.signals import Signal
from penstock.worker.processes.crossing import arrived, raised, returned, signalled
from penstock.worker.processes.messages import Ended, ToParent


def across(came_to: Any) -> Any:
    """The same on the other side, raised or returned."""
    sent = msgspec.msgpack.encode(Ended(came_to, 0, 0))
    ended = msgspec.msgpack.decode(sent, type=ToParent)
    assert isinstance(ended, Ended)
    try:
        return arrived(ended.came_to)
    except Exception as error:
        return error


class Overloaded(Throttled):
    """A user's own kind of a known error."""


class Own(Exception):
    """One that nobody else knows."""


@pytest.mark.parametrize("signal", [
    Snooze(timedelta(hours=1), "later"), Cancel("withdrawn"), Retry(None, "busy"), Retry(timedelta(microseconds=1)),
    Snooze(timedelta.max)])
def test_signals(signal: Signal) -> None:
    found = across(signalled(signal))
    assert (type(found), vars(found)) == (type(signal), vars(signal))


@pytest.mark.parametrize("error", [
    Throttled(7), Throttled(), Unavailable("away", retry_after=3.5), Limited("crm", float("inf"), "closed"),
    GateClosed("crm", 1.0, "closed"), Stopping("stop"), OutOfTime("later"), StaleLease("lost"), JobCancelled("c"),
    JobTimedOut("t"), JobStalled("s")])
def test_errors_that_decide(error: Exception) -> None:
    found = across(raised(error))
    assert (type(found), str(found)) == (type(error), str(error))
    expected = {name: value for name, value in vars(error).items() if name != "__notes__"}
    assert {name: vars(found)[name] for name in expected} == expected


def test_a_derived_error_decides_as_what_it_derives_from_and_keeps_its_name() -> None:
    found = across(raised(Overloaded(7)))
    assert (type(found), found.retry_after, class_of(found)) == (Throttled, 7, "Overloaded")
    odd = Overloaded()
    odd.retry_after = object()  # type: ignore[assignment]
    assert across(raised(odd)).retry_after is None
    assert across(raised(Overloaded(10**30))).retry_after is None


def test_text_that_cannot_be_encoded() -> None:
    assert across(signalled(Cancel("a \ud800"))).reason == "a ?"
    assert across(raised(Limited("a \ud800", 1.0, "closed"))).key == "a ?"


def test_any_other_error_keeps_its_name_message_and_traceback() -> None:
    try:
        raise Own("a \ud800 half")
    except Own as error:
        found = across(raised(error))
    assert (type(found), str(found), class_of(found)) == (RaisedInProcess, "a ? half", "Own")
    assert 'raise Own("a \\ud800 half")' in text_of(found)


def test_an_error_that_cannot_say_what_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert class_of(across(raised(Mute()))) == "Mute"


@pytest.mark.parametrize("signal", [Snooze("soon"), Signal("odd")])  # type: ignore[arg-type]
def test_a_signal_that_says_nothing_is_a_failure(signal: Signal) -> None:
    assert "expected Snooze, Cancel or Retry with a timedelta" in str(across(signalled(signal)))


def test_results() -> None:
    assert across(returned({"a": [1, None]}, records=True)) == {"a": [1, None]}
    assert across(returned({"a": 1}, records=False)) is None
    unwritable = across(returned(object(), records=True))
    assert isinstance(unwritable, Unwritable)
    assert "of type object" in unwritable.why
