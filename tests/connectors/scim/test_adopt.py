"""A create that meets a 409 takes over what exists, if that is surely the one."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.errors import Unavailable
from penstock.domain.records import Change, ChangeKind, Done, Rejected
from penstock.sync.declaring.ports import Run
from tests.connectors.scim.changes import changed, ids, new
from tests.servers.scim import FaultyProxy

Stored = Callable[[str], list[dict[str, Any]]]


def test_what_exists_is_adopted_and_updated(run: Run, way: str, stored: Stored) -> None:
    there = ids(scim.Users.create([new("ada", displayName="Old")], run))
    outcomes = scim.Users.create([new("bob"), new("ADA", displayName="New")], run)
    assert ids(outcomes)[1:] == there
    users = {user["id"]: user for user in stored("Users")}
    assert len(users) == 2
    assert users[there[0]]["displayName"] == "New"
    assert users[there[0]]["externalId"] == "E-ADA"
    assert users[there[0]]["active"] is True


def test_adopting_a_batch_takes_few_calls(run: Run, proxy: FaultyProxy) -> None:
    batch = [new(f"u{n}") for n in range(45)]
    first = ids(scim.Users.create(batch, run))
    proxy.seen.clear()
    assert ids(scim.Users.create(batch, run)) == first
    assert [seen.method for seen in proxy.seen] == ["POST", "GET", "GET", "GET", "POST"]


def test_values_are_escaped_in_filters(run: Run, way: str) -> None:
    odd = Change(ChangeKind.CREATE, "E1", {"userName": 'a"b\\c é or userName pr'})
    assert ids(scim.Users.create([odd], run)) == ids(scim.Users.create([odd], run))


def test_two_records_of_one_batch_do_not_share_a_resource(run: Run, way: str, stored: Stored) -> None:
    first, second = scim.Users.create([new("ada"), new("ADA", displayName="Other")], run)
    assert isinstance(first, Done)
    assert isinstance(second, Rejected)
    assert second.code == "uniqueness"
    assert "belongs to another record" in second.message
    assert [user["displayName"] for user in stored("Users")] == ["Ada"]


def test_two_conflicts_do_not_share_a_resource(run: Run, way: str) -> None:
    ids(scim.Users.create([new("ada")], run))
    first, second = scim.Users.create([new("ada"), new("ADA")], run)
    assert isinstance(first, Done)
    assert isinstance(second, Rejected)


def test_what_another_row_holds_is_not_touched(run: Run, way: str, stored: Stored) -> None:
    (held,) = ids(scim.Users.create([new("ada")], run))
    run.held = lambda remote_ids: {held} & set(remote_ids)
    (outcome,) = scim.Users.create([new("ada", displayName="Thief")], run)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "uniqueness"
    assert stored("Users")[0]["displayName"] == "Ada"


def test_several_matches_are_ambiguous(run: Run, proxy: FaultyProxy, singly: None) -> None:
    same = [Change(ChangeKind.CREATE, f"g{n}", {"displayName": "Doors"}) for n in range(3)]
    ids(scim.Groups.create(same[:2], run))
    proxy.error(409, "taken", "uniqueness", method="POST", path="/Groups")
    (outcome,) = scim.Groups.create(same[2:], run)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "ambiguous"
    assert "2 resources have displayName 'Doors'" in outcome.message


def test_a_conflict_about_something_else_is_rejected(run: Run, proxy: FaultyProxy, singly: None) -> None:
    proxy.error(409, "employee number taken", "uniqueness", method="POST", path="/Users")
    (outcome,) = scim.Users.create([new("ada")], run)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "uniqueness"
    assert "employee number taken" in outcome.message


def test_a_failed_look_up_leaves_the_record_in_doubt(run: Run, proxy: FaultyProxy, way: str) -> None:
    ids(scim.Users.create([new("ada")], run))
    proxy.error(500, method="GET", path="/Users")
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new("bob"), new("ada"), new("cyd")], run)
    done, doubtful, last = caught.value.outcomes
    assert isinstance(done, Done)
    assert isinstance(last, Done)
    assert doubtful is None


def test_a_failed_take_over_leaves_the_record_in_doubt(run: Run, proxy: FaultyProxy, singly: None) -> None:
    ids(scim.Users.create([new("ada"), new("bob")], run))
    proxy.drop_before(method="PATCH")
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new("ada"), new("cyd"), new("bob")], run)
    assert caught.value.outcomes[0] is None
    assert isinstance(caught.value.outcomes[1], Done)
    assert caught.value.outcomes[2] is None


def test_an_update_into_a_taken_name_is_rejected(run: Run, way: str) -> None:
    _, bob = ids(scim.Users.create([new("ada"), new("bob")], run))
    (outcome,) = scim.Users.update([changed(bob, {"userName": "ada@example.org"})], run)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "uniqueness"
