"""When a run that has done all else has to come back for what is in doubt."""

from types import SimpleNamespace
from typing import Any

import pytest

from penstock.domain.errors import StillInDoubt
from penstock.sync.applying.doubt import wait_for_doubts


def plan(name: str, doubtful_ms: int) -> Any:
    return SimpleNamespace(layer=SimpleNamespace(name=name), doubtful_ms=doubtful_ms)


def test_a_run_without_doubts_ends() -> None:
    wait_for_doubts([plan("People", 0), plan("Groups", 0)])


def test_one_with_some_comes_back_when_the_last_of_them_can_be_believed() -> None:
    with pytest.raises(StillInDoubt, match="People, Members: creates whose answer was lost .* in 21 s") as raised:
        wait_for_doubts([plan("People", 21_000), plan("Groups", 0), plan("Members", 3_000)])
    assert raised.value.retry_after == 21.0
    assert not raised.value.sent
