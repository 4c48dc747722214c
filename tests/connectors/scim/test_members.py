"""Memberships: PATCH on the group, in bounded calls."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.errors import DeclarationError, Throttled, Unavailable
from penstock.domain.records import Change, ChangeKind, Done, Rejected
from penstock.sync.declaring.ports import Run
from tests.connectors.scim.changes import gone, ids, in_group
from tests.servers.scim import FaultyProxy

Stored = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def groups(run: Run, proxy: FaultyProxy) -> list[str]:
    created = ids(scim.Groups.create([Change(ChangeKind.CREATE, name, {"displayName": name}) for name in "GH"], run))
    proxy.seen.clear()
    return created


@pytest.fixture
def members(stored: Stored) -> Callable[[str], list[str]]:
    def of(group: str) -> list[str]:
        (there,) = [each for each in stored("Groups") if each["id"] == group]
        return [member["value"] for member in there.get("members", [])]
    return of


Members = Callable[[str], list[str]]


def test_members_are_added_group_by_group(run: Run, groups: list[str], members: Members, proxy: FaultyProxy) -> None:
    one, two = groups
    outcomes = scim.Members.create([in_group(one, "u1"), in_group(two, "u1"), in_group(one, "u2")], run)
    assert outcomes == [Done(f"{one}/u1"), Done(f"{two}/u1"), Done(f"{one}/u2")]
    assert (members(one), members(two)) == (["u1", "u2"], ["u1"])
    assert [(seen.method, seen.path) for seen in proxy.writes] == [("PATCH", f"/Groups/{one}"),
                                                                   ("PATCH", f"/Groups/{two}")]


def test_adding_twice_is_harmless(run: Run, groups: list[str], members: Members) -> None:
    change = [in_group(groups[0], "u1")]
    assert scim.Members.create(change, run) == scim.Members.create(change, run)
    assert members(groups[0]) == ["u1"]
    assert scim.Members.idempotent


def test_at_most_a_hundred_members_go_in_a_call(run: Run, groups: list[str], members: Members,
                                               proxy: FaultyProxy) -> None:
    many = [in_group(groups[0], f"u{n}") for n in range(230)]
    done = ids(scim.Members.create(many, run))
    assert len(members(groups[0])) == 230
    assert [len(seen.operations[0]["value"]) for seen in proxy.writes] == [100, 100, 30]
    proxy.seen.clear()
    ids(scim.Members.delete([gone(each) for each in done], run))
    assert members(groups[0]) == []
    assert [len(seen.operations) for seen in proxy.writes] == [100, 100, 30]


def test_a_delete_goes_by_the_remote_id_or_by_parent_and_reference(run: Run, groups: list[str],
                                                                  members: Members) -> None:
    group = groups[0]
    ids(scim.Members.create([in_group(group, f"u{n}") for n in range(3)], run))
    ids(scim.Members.delete([gone(f"{group}/u0"), in_group(group, "u1")], run))
    assert members(group) == ["u2"]


def test_a_member_or_a_group_that_is_gone_is_done(run: Run, groups: list[str]) -> None:
    outcomes = scim.Members.delete([gone(f"{groups[0]}/nobody"), gone("nowhere/u1")], run)
    assert outcomes == [Done(f"{groups[0]}/nobody"), Done("nowhere/u1")]


def test_a_server_that_minds_removing_nobody(run: Run, groups: list[str], members: Members,
                                             proxy: FaultyProxy) -> None:
    group = groups[0]
    ids(scim.Members.create([in_group(group, "u1"), in_group(group, "u2")], run))
    proxy.error(400, "no such member", "noTarget", method="PATCH", having="nobody", times=None)
    outcomes = scim.Members.delete([gone(f"{group}/{user}") for user in ("u1", "nobody", "u2")], run)
    assert len(ids(outcomes)) == 3
    assert members(group) == []


def test_a_group_that_is_gone_takes_no_members(run: Run, groups: list[str], proxy: FaultyProxy) -> None:
    outcomes = scim.Members.create([in_group("nowhere", "u1"), in_group("nowhere", "u2")], run)
    assert all(isinstance(outcome, Rejected) and outcome.code == "404" for outcome in outcomes)
    assert len(proxy.writes) == 1, "no part of it would fare better"


def test_one_bad_member_does_not_keep_the_others_out(run: Run, groups: list[str], members: Members,
                                                     proxy: FaultyProxy) -> None:
    proxy.error(400, "no such user", "invalidValue", method="PATCH", having='"u42"', times=None)
    outcomes = scim.Members.create([in_group(groups[0], f"u{n}") for n in range(100)], run)
    assert outcomes[42] == Rejected("invalidValue", "no such user")
    assert len(ids([outcome for n, outcome in enumerate(outcomes) if n != 42])) == 99
    assert len(members(groups[0])) == 99
    assert len(proxy.writes) <= 15


def test_the_search_for_bad_members_is_bounded(run: Run, groups: list[str], proxy: FaultyProxy) -> None:
    proxy.error(400, "I like nobody", "invalidValue", method="PATCH", times=None)
    outcomes = scim.Members.create([in_group(groups[0], f"u{n}") for n in range(100)], run)
    assert len(outcomes) == 100
    assert all(isinstance(outcome, Rejected) for outcome in outcomes)
    assert len(proxy.writes) <= 64


def test_an_update_follows_a_user_with_a_new_id(run: Run, groups: list[str], members: Members,
                                                proxy: FaultyProxy) -> None:
    group = groups[0]
    same, moved = ids(scim.Members.create([in_group(group, "u1"), in_group(group, "old")], run))
    proxy.seen.clear()
    outcomes = scim.Members.update([in_group(group, "u1", same), in_group(group, "new", moved)], run)
    assert outcomes == [Done(f"{group}/u1"), Done(f"{group}/new")]
    assert members(group) == ["u1", "new"]
    assert len(proxy.writes) == 2


def test_a_failed_removal_during_an_update_is_in_doubt(run: Run, groups: list[str], proxy: FaultyProxy) -> None:
    (old,) = ids(scim.Members.create([in_group(groups[0], "old")], run))
    proxy.drop_before(method="PATCH", having="remove")
    with pytest.raises(Unavailable) as caught:
        scim.Members.update([in_group(groups[0], "new", old)], run)
    assert caught.value.outcomes == (None,)


def test_outcomes_before_a_failure_are_kept(run: Run, groups: list[str], proxy: FaultyProxy) -> None:
    proxy.error(429, method="PATCH", after=1, headers={"Retry-After": "3"})
    one, two = groups
    with pytest.raises(Throttled) as caught:
        scim.Members.create([in_group(one, "u1"), in_group(one, "u2"), in_group(two, "u1")], run)
    assert caught.value.retry_after == 3
    assert caught.value.outcomes == (Done(f"{one}/u1"), Done(f"{one}/u2"))


def test_a_layer_without_parent_or_reference_is_told_so(run: Run) -> None:
    with pytest.raises(DeclarationError, match="parent = Groups.by"):
        scim.Members.create([Change(ChangeKind.CREATE, "k", parent_id="g")], run)


def test_a_server_without_patch_is_told_so(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(patch={"supported": False})
    (outcome,) = scim.Members.create([in_group("g", "u")], run)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "501"
    assert proxy.writes == []
