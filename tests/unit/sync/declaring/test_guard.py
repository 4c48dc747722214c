"""The guard's rule: when so many deletes are too many, and what is withheld with them."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.domain.errors import DeclarationError
from penstock.sync.declaring.guard import Guard, Sum, Weighed, decide

NOTHING = Sum(0, 0, 100_000)


def weighed(layer: str = "People", deletes: int = 0, *, live: int = 100_000, open: bool = False,
            targets: tuple[str, ...] = (), own: int = 0, account: Sum = NOTHING, everywhere: Sum = NOTHING,
            guard: Guard | None = None) -> Weighed:
    return Weighed(layer, guard or Guard(), deletes, open, frozenset(targets), Sum(own, 0, live), account, everywhere)


@pytest.mark.parametrize(("deletes", "live", "trips"), [
    (9, 9, False), (10, 10, True), (10, 50, False), (11, 54, True), (11, 55, False), (500, 2500, False),
    (500, 2499, True), (501, 10_000_000, True), (0, 0, False),
])
def test_ten_at_least_and_more_than_500_or_a_fifth(deletes: int, live: int, trips: bool) -> None:
    assert Guard().trips(deletes, live) is trips


@pytest.mark.parametrize("guard", [Guard(), Guard(most=77, percent=7), Guard(most=0), Guard(percent=100)])
def test_beyond_enough_rows_their_number_decides_nothing(guard: Guard) -> None:
    for deletes in range(guard.most + 3):
        assert guard.trips(deletes, guard.enough) == guard.trips(deletes, guard.enough * 1000)


def test_a_few_deletes_go() -> None:
    assert decide([weighed(deletes=9, live=9)]) == {}


def test_too_many_in_one_layer_hold_back_the_whole_run() -> None:
    reasons = decide([weighed("Groups", 12, live=50), weighed("People", 1)])
    assert reasons == dict.fromkeys(["Groups", "People"], "Groups: 12 deletes of 50 rows of this run, more than 20 %")


def test_too_many_in_all_layers_together_hold_back_the_whole_run() -> None:
    reasons = decide([weighed("Ads", 300), weighed("Keywords", 201), weighed("Campaigns")])
    assert set(reasons) == {"Ads", "Keywords", "Campaigns"}
    assert reasons["Ads"] == "501 deletes in this run, more than 500"
    assert decide([weighed("Ads", 300), weighed("Keywords", 200)]) == {}


def test_what_a_run_deleted_before_it_was_broken_off_counts() -> None:
    assert decide([weighed(deletes=50, own=451)])
    assert decide([weighed(deletes=50, own=450)]) == {}
    assert decide([weighed(deletes=5, own=6, live=44)]) == {"People": "People: 11 deletes of 50 rows of this run, more"
                                                                      " than 20 %"}


def test_a_day_of_an_account_and_of_the_layer_counts() -> None:
    assert decide([weighed(deletes=9, account=Sum(492, 0, 10_000))]) == {
        "People": "People: 501 deletes of this account within 24 hours, more than 500"}
    assert decide([weighed(deletes=9, everywhere=Sum(400, 92, 10_000))]) == {
        "People": "People: 501 deletes within 24 hours, more than 500"}
    assert decide([weighed(deletes=9, account=Sum(491, 0, 10_000), everywhere=Sum(400, 91, 10_000))]) == {}


def test_rows_that_were_deleted_within_the_day_count_among_the_rows() -> None:
    """Or a fifth would become less and less of a shrinking layer."""
    assert decide([weighed(deletes=1, everywhere=Sum(19, 0, 81))]) == {}
    assert decide([weighed(deletes=2, everywhere=Sum(19, 0, 81))])


def test_without_deletes_nothing_trips_whatever_was_deleted_before() -> None:
    assert decide([weighed(own=5000, account=Sum(5000, 5000, 1), everywhere=Sum(5000, 0, 1))]) == {}


def test_a_layer_that_is_withheld_holds_back_what_it_refers_to() -> None:
    layers = [weighed("Campaigns"), weighed("Groups", 1, targets=("Campaigns",)),
              weighed("Ads", 9, targets=("Groups",), everywhere=Sum(492, 0, 10_000)),
              weighed("Keywords", 3, targets=("Groups",))]
    reasons = decide(layers)
    assert set(reasons) == {"Ads", "Groups", "Campaigns"}
    assert reasons["Groups"] == "Ads, whose deletes are withheld, refers to Groups"


def test_an_open_question_holds_back_its_layer() -> None:
    reasons = decide([weighed(deletes=1, open=True), weighed("Other", 1)])
    assert reasons == {"People": "People: an earlier question is open"}


def test_every_layer_has_a_guard_of_its_own() -> None:
    strict, lax = Guard(at_least=1, most=3), Guard(at_least=1000, most=100_000, percent=100)
    assert decide([weighed(deletes=4, guard=strict)])
    assert decide([weighed(deletes=900, live=900, guard=lax)]) == {}
    assert decide([weighed(deletes=900, live=900, guard=lax), weighed("Other", 3, guard=strict)]) == {}


@pytest.mark.parametrize(("wrong", "fault"), [
    ({"at_least": 0}, "at_least: expected a whole number of 1 or more, got 0"),
    ({"most": -1}, "most: expected a whole number of 0 or more, got -1"),
    ({"percent": 101}, "percent: expected a whole number of 1 or more, up to 100, got 101"),
    ({"percent": 0.2}, "percent: expected a whole number"),
    ({"expires": timedelta(0)}, "expires: expected a timedelta of more than 0"),
])
def test_a_guard_that_cannot_be_is_refused(wrong: dict[str, Any], fault: str) -> None:
    with pytest.raises(DeclarationError, match=fault):
        Guard(**wrong)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        Guard(at_least=0, most=-1)
    assert len(caught.value.faults) == 2
