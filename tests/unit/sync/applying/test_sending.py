"""What an exception of a verb says of the changes of its call, and what a record's row says before and after."""

import pytest

from penstock.domain.errors import DestinationError, Refused, Stopping, Throttled, Unavailable
from penstock.domain.records import ChangeKind, Done, RecordState, Rejected
from penstock.sync.applying.sending import RECORD_RETRY, _failed, _rest_was_sent, _settled, doubtful
from penstock.sync.planning.plan import Item


def stopped(told: bool) -> Stopping:
    error = Stopping("stop")
    if told:
        error.outcomes = [Done("r1")]
    return error


@pytest.mark.parametrize(("error", "sent"), [
    (Throttled(1.0), False), (Unavailable(sent=False), False), (Unavailable(), True), (OSError("reset"), True),
    (DestinationError("makes no sense"), True), (stopped(told=True), False), (stopped(told=False), True),
])
def test_whether_changes_beyond_those_settled_may_have_been_carried_out(error: Exception, sent: bool) -> None:
    assert _rest_was_sent(error) is sent


def test_what_is_no_outcome_settles_nothing() -> None:
    error = Refused("bad")
    assert _settled(error) == []
    error.outcomes = [Done("r1"), "r2", Rejected("no"), None]
    assert _settled(error) == [Done("r1"), None, Rejected("no"), None]


def test_a_refused_record_waits_twice_as_long_each_time_up_to_an_hour() -> None:
    waits = [RECORD_RETRY.delay_seconds(attempt) for attempt in (1, 2, 3, 7, 8, 5_000)]
    assert waits == [60, 120, 240, 3600, 3600, 3600]


def test_the_row_of_a_refused_record_says_which_payload_was_refused_and_counts() -> None:
    item = Item("a", digest=b"d" * 16, remote_id="r1", attempts=2)
    mark = _failed(ChangeKind.UPDATE, item, Rejected("bad", "no"))
    assert (mark.status, mark.attempts, mark.wait_ms, mark.tried) == (RecordState.FAILED, 3, 240_000, b"d" * 16)
    assert (mark.digest, mark.remote_id) == (None, "r1")
    assert _failed(ChangeKind.DELETE, item, Rejected("bad")).tried is None  # it goes at once if it is there again


def test_attempts_are_counted_as_far_as_the_column_goes() -> None:
    assert _failed(ChangeKind.CREATE, Item("a", attempts=32_000), Rejected("bad")).attempts == 32_000


def test_a_create_in_doubt_keeps_by_what_it_can_be_looked_up_and_when() -> None:
    item = Item("a", digest=b"d" * 16, attempts=1, wait_ms=30_000, tried=b"d" * 16 + b"ann@example.com")
    mark = doubtful(item, "no_answer", "lost")
    assert (mark.wait_ms, mark.tried, mark.attempts) == (30_000, item.tried, 1)
    assert (item.unchanged, item.tried_match) == (True, "ann@example.com")


def test_what_has_a_remote_id_needs_no_look_up() -> None:
    mark = doubtful(Item("a", digest=b"d" * 16, remote_id="r1", tried=b"x"), "no_answer", "lost")
    assert (mark.remote_id, mark.wait_ms, mark.tried) == ("r1", None, None)
