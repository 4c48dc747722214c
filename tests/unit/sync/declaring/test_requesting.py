"""Requests from code: what cannot be a subject or an account is refused before anything is written."""

from typing import Any

import pytest

from penstock.domain.errors import ConfigurationError
from penstock.sync.declaring.declare import Sync, SyncDefinition
from penstock.sync.declaring.requesting import Requesting


class Written:
    """Keeps what it is asked to write."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None:
        self.rows += requests

    async def arequest(self, requests: list[dict[str, Any]], connection: Any = None) -> None:
        self.rows += requests


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def sync(written: Written) -> Requesting:
    return Requesting(SyncDefinition("crowd", Sync(), ()), written)


@pytest.mark.parametrize(("subjects", "said"), [
    (["g1", ("g2", 9)], "account: expected text, got 9"),
    ([("g1", "")], "account: expected its name, or None"),
    ([("g1", b"acme")], "account: expected text"),
    ([None], "subject: expected text, got None"),
    ([""], "subject: expected the key of one"),
    ([True], "subject: expected text, got True"),
    (["a\0b"], "without NUL"),
    (["\udc80"], "without NUL and lone surrogates"),
    ([("g1", "acme", 3)], "subject: expected text, got \\('g1'"),
    ("g1", "expected several subjects, got the text 'g1'"),
])
def test_what_cannot_be_a_subject_or_an_account_is_refused_at_once(
        sync: Requesting, written: Written, subjects: Any, said: str):
    with pytest.raises(ConfigurationError, match=said):
        sync.request_many(subjects)
    assert written.rows == []


def test_every_fault_is_told_at_once_but_not_a_million(sync: Requesting):
    with pytest.raises(ConfigurationError) as refused:
        sync.request_many([("g1", None), *([(None, 7)] * 1000)])
    assert str(refused.value).count("expected text") == 20


@pytest.mark.parametrize("options", [{"priority": 2**31}, {"priority": 1.5}, {"priority": True}, {"reason": 7}])
def test_options_that_no_column_holds_are_refused(sync: Requesting, options: Any):
    with pytest.raises(ConfigurationError, match=f"{next(iter(options))}: expected"):
        sync.using(**options)
