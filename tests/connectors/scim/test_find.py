"""Looking up by natural key, and reading everything back."""

from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.errors import Unavailable
from penstock.domain.records import Calls, Change, ChangeKind
from penstock.sync.declaring.ports import Run
from tests.connectors.scim.changes import ids, new
from tests.servers.scim import FaultyProxy


def test_values_are_found_whatever_their_case(run: Run) -> None:
    ada, bob = ids(scim.Users.create([new("Ada"), new("bob")], run))
    asked = ["ada@EXAMPLE.org", "ADA@example.org", "bob@example.org", "nobody@example.org"]
    assert scim.Users.find(asked, run) == {asked[0]: ada, asked[1]: ada, asked[2]: bob}


def test_several_matches_are_a_list(run: Run) -> None:
    same = [Change(ChangeKind.CREATE, f"g{n}", {"displayName": "Doors"}) for n in range(2)]
    assert {"Doors": sorted(ids(scim.Groups.create(same, run)))} == \
        {value: sorted(found) for value, found in scim.Groups.find(["Doors"], run).items()}


def test_many_values_share_a_request(run: Run, proxy: FaultyProxy) -> None:
    created = ids(scim.Users.create([new(f"u{n}") for n in range(50)], run))
    before = run.calls.read
    found = scim.Users.find([f"u{n}@example.org" for n in range(50)], run)
    assert list(found.values()) == created
    assert run.calls.read - before == 3
    assert "attributes=id%2CuserName%2CexternalId" in proxy.seen[-1].query


def test_long_values_keep_the_url_short(run: Run, proxy: FaultyProxy) -> None:
    long = [f"{'x' * 400}{n}@example.org" for n in range(10)]
    scim.Users.find(long, run)
    assert all(len(seen.query) < 4000 for seen in proxy.seen)
    assert len(proxy.seen) > 3


def test_nothing_asked_costs_nothing(run: Run) -> None:
    assert scim.Users.find([], run) == {}
    assert run.calls.total == 0


def test_matches_are_read_page_by_page(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(filter={"maxResults": 2})
    same = [Change(ChangeKind.CREATE, f"g{n}", {"displayName": "Doors"}) for n in range(5)]
    created = ids(scim.Groups.create(same, run))
    assert sorted(scim.Groups.find(["Doors"], run)["Doors"]) == sorted(created)
    assert "count=2" in proxy.seen[-1].query
    assert "startIndex=5" in proxy.seen[-1].query


def test_a_server_that_cannot_filter_is_read_whole(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(filter={"supported": False})
    ada, _ = ids(scim.Users.create([new("ada"), new("bob")], run))
    assert scim.Users.find(["ada@example.org"], run) == {"ada@example.org": ada}
    assert "filter=" not in proxy.seen[-1].query


def test_everything_is_read_back_page_by_page(run: Run, proxy: FaultyProxy, client: scim.Client) -> None:
    proxy.offer(filter={"maxResults": 3})
    created = ids(scim.Users.create([new(f"u{n}") for n in range(7)], run))
    calls = Calls()
    assert sorted(user["id"] for user in client.resources("Users", calls)) == sorted(created)
    assert (calls.read, calls.write) == (3, 0)
    assert list(client.resources("Groups")) == []



@pytest.mark.parametrize("damage", [
    lambda answer: {**answer, "Resources": []},
    lambda answer: {**answer, "totalResults": answer["totalResults"] + 1},
    lambda answer: {name: value for name, value in answer.items() if name != "totalResults"},
    lambda answer: {**answer, "Resources": "none"},
    lambda answer: [answer],
], ids=["empty page", "total too high", "no total", "no list", "no object"])
def test_a_page_that_is_not_what_it_claims_to_be(run: Run, proxy: FaultyProxy, client: scim.Client,
                                                 damage: Any) -> None:
    ids(scim.Users.create([new("ada"), new("bob")], run))
    proxy.rewrite("GET", "/Users", damage)
    with pytest.raises(Unavailable, match="GET /Users: expected"):
        list(client.resources("Users"))


def test_a_server_that_ignores_start_index_is_noticed(run: Run, proxy: FaultyProxy, client: scim.Client) -> None:
    ids(scim.Users.create([new(f"u{n}") for n in range(4)], run))
    first = list(client.resources("Users"))[:2]
    proxy.rewrite("GET", "/Users", lambda answer: {**answer, "totalResults": 4, "Resources": first})
    with pytest.raises(Unavailable, match="differs from the one before"):
        list(client.resources("Users"))


def test_resources_are_fetched_by_their_ids_many_in_one_request(run: Run) -> None:
    created = ids(scim.Users.create([new(f"u{n}") for n in range(30)], run))
    scim.Users.delete([Change(ChangeKind.DELETE, "u3", remote_id=created[3])], run)
    before = run.calls.read
    found = scim.Users.fetch(created, run)
    assert list(found) == created[:3] + created[4:]
    assert {found[id]["userName"] for id in created[:3]} == {"u0@example.org", "u1@example.org", "u2@example.org"}
    assert run.calls.read - before == 3  # two filters, and a look at who was not among the answers


def test_a_server_that_cannot_filter_is_asked_for_each_id(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(filter={"supported": False})
    [ada] = ids(scim.Users.create([new("ada")], run))
    assert list(scim.Users.fetch([ada, "nobody"], run)) == [ada]


def test_an_outage_is_not_taken_for_resources_that_are_gone(run: Run, proxy: FaultyProxy) -> None:
    [ada] = ids(scim.Users.create([new("ada")], run))
    proxy.answer(503, method="GET", path="/Users")
    with pytest.raises(Unavailable):
        scim.Users.fetch([ada], run)
