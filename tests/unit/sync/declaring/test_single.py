"""Verbs for a single change: no outcome is lost by what a later change of the batch raises."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.domain.errors import Refused, StaleLease, Throttled, Unavailable
from penstock.sync import Done, Rejected
from penstock.sync.declaring.single import singly


def raising(error: BaseException | None) -> Any:
    def one(change: str, run: object) -> Done:
        if change == "b" and error is not None:
            raise error
        return Done(f"r{change}")

    return one


def called(verb: Any) -> Any:
    answer = verb(["a", "b", "c"], None)
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def test_each_change_has_its_outcome() -> None:
    assert called(singly(raising(None))) == [Done("ra"), Done("rb"), Done("rc")]


def test_one_that_is_refused_fails_alone() -> None:
    assert called(singly(raising(Refused("bad", "no")))) == [Done("ra"), Rejected("bad", "no"), Done("rc")]


@pytest.mark.parametrize(("made", "doubted"), [
    (lambda: Throttled(3.0), False), (lambda: Unavailable("refused", sent=False), False),
    (lambda: Unavailable("lost"), True), (lambda: OSError("reset"), True), (lambda: KeyError("a mistake"), True),
])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_any_other_error_leaves_with_what_was_settled(
        made: Callable[[], Exception], doubted: bool, asynchronous: bool) -> None:
    error = made()
    one = raising(error)

    async def aone(change: str, run: object) -> Done:
        return one(change, run)

    with pytest.raises(type(error)) as raised:
        called(singly(aone if asynchronous else one))
    assert raised.value is error
    assert vars(error)["outcomes"] == [Done("ra"), *([None] if doubted else [])]
    assert vars(error)["sent"] is False  # nothing behind it was


def test_a_lost_lease_says_nothing() -> None:
    error = StaleLease()
    with pytest.raises(StaleLease):
        called(singly(raising(error)))
    assert "outcomes" not in vars(error)
