"""Users and groups come into being, each with its own outcome."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.errors import DeclarationError, Throttled, Unavailable
from penstock.domain.records import Change, ChangeKind, Done, Rejected
from penstock.sync.declaring.ports import Run
from tests.connectors.scim.changes import ids, new
from tests.servers.scim import FaultyProxy

Stored = Callable[[str], list[dict[str, Any]]]


def test_users_are_created_with_what_was_rendered(run: Run, way: str, stored: Stored) -> None:
    outcomes = scim.Users.create([new("ada"), new("bob")], run)
    there = {user["id"]: user for user in stored("Users")}
    assert [there[key]["userName"] for key in ids(outcomes)] == ["ada@example.org", "bob@example.org"]
    assert [there[key]["externalId"] for key in ids(outcomes)] == ["E-ada", "E-bob"]
    assert [outcome.version for outcome in outcomes if isinstance(outcome, Done)] == \
        [there[key]["meta"]["version"] for key in ids(outcomes)]


def test_groups_are_created(run: Run, way: str, stored: Stored) -> None:
    change = Change(ChangeKind.CREATE, "doors-7", {"displayName": "Doors 7"})
    (group,) = ids(scim.Groups.create([change], run))
    assert [(each["id"], each["displayName"]) for each in stored("Groups")] == [(group, "Doors 7")]


def test_bulk_takes_one_write_for_a_batch(run: Run, proxy: FaultyProxy) -> None:
    scim.Users.create([new(f"u{n}") for n in range(100)], run)
    assert [(seen.method, seen.path) for seen in proxy.writes] == [("POST", "/Bulk")]
    assert (run.calls.read, run.calls.write) == (1, 1)


def test_without_bulk_each_record_is_a_write(run: Run, singly: None, proxy: FaultyProxy) -> None:
    scim.Users.create([new("ada"), new("bob")], run)
    assert [(seen.method, seen.path) for seen in proxy.writes] == [("POST", "/Users")] * 2
    assert (run.calls.read, run.calls.write) == (1, 2)


def test_extensions_are_named_in_schemas(run: Run, way: str, stored: Stored) -> None:
    extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    ids(scim.Users.create([new("ada", **{extension: {"employeeNumber": "7"}})], run))
    (user,) = stored("Users")
    assert user[extension] == {"employeeNumber": "7"}


def test_bulk_is_chunked_by_operations(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(bulk={"maxOperations": 3})
    outcomes = scim.Users.create([new(f"u{n}") for n in range(8)], run)
    assert [len(seen.operations) for seen in proxy.writes] == [3, 3, 2]
    assert len(set(ids(outcomes))) == 8


def test_bulk_is_chunked_by_encoded_bytes(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(bulk={"maxPayloadSize": 2000})
    outcomes = scim.Users.create([new(f"u{n}", nickName="é" * 200) for n in range(9)], run)
    assert len(proxy.writes) > 2
    assert all(len(seen.body) <= 2000 for seen in proxy.writes)
    assert len(set(ids(outcomes))) == 9


def test_a_record_too_long_for_bulk_goes_alone(run: Run, proxy: FaultyProxy, stored: Stored) -> None:
    proxy.offer(bulk={"maxPayloadSize": 1000})
    outcomes = scim.Users.create([new("ada"), new("bob", nickName="b" * 1500), new("cyd")], run)
    assert [seen.path for seen in proxy.writes] == ["/Bulk", "/Users", "/Bulk"]
    assert len(set(ids(outcomes))) == 3


def test_a_bulk_that_is_too_large_after_all_is_halved(run: Run, proxy: FaultyProxy) -> None:
    proxy.error(413, "too large", path="/Bulk")
    outcomes = scim.Users.create([new(f"u{n}") for n in range(5)], run)
    assert [len(seen.operations) for seen in proxy.writes] == [5, 2, 3]
    assert len(set(ids(outcomes))) == 5


def test_a_bulk_that_is_refused_as_a_whole_is_sent_singly(run: Run, proxy: FaultyProxy) -> None:
    proxy.error(400, "one of them is bad", "invalidSyntax", path="/Bulk")
    outcomes = scim.Users.create([new("ada"), new("bob")], run)
    assert [seen.path for seen in proxy.writes] == ["/Bulk", "/Users", "/Users"]
    assert len(ids(outcomes)) == 2


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_the_bulk_that_it_announced(run: Run, proxy: FaultyProxy, status: int) -> None:
    proxy.answer(status, path="/Bulk", times=None)
    proxy.offer(bulk={"maxOperations": 2})
    assert len(ids(scim.Users.create([new(f"u{n}") for n in range(3)], run))) == 3
    assert len(ids(scim.Users.create([new("ada")], run))) == 1
    assert [seen.path for seen in proxy.writes] == ["/Bulk"] + ["/Users"] * 4, "it is not asked again"


def test_a_bad_record_leaves_the_others_alone(run: Run, way: str, stored: Stored) -> None:
    bad = Change(ChangeKind.CREATE, "E2", {"displayName": "no user name"})
    first, refused, last = scim.Users.create([new("ada"), bad, new("bob")], run)
    assert isinstance(refused, Rejected)
    assert refused.code == "invalidValue"
    assert "userName" in refused.message
    assert {first, last} == {Done(user["id"], user["meta"]["version"]) for user in stored("Users")}


def test_a_payload_that_is_no_mapping_is_a_fault_of_the_layer(run: Run) -> None:
    with pytest.raises(DeclarationError, match="expected render to give a mapping"):
        scim.Users.create([Change(ChangeKind.CREATE, "E1", None)], run)


def test_a_client_of_something_else_is_a_fault_of_the_sync() -> None:
    with pytest.raises(DeclarationError, match="scim.connect"):
        scim.Users.create([new("ada")], Run(Run.__new__(Run), client=object()))  # type: ignore[arg-type]


def test_answers_are_matched_by_bulk_id(run: Run, proxy: FaultyProxy, stored: Stored) -> None:
    proxy.rewrite("POST", "/Bulk", lambda answer: {**answer, "Operations": answer["Operations"][:0:-1]})
    first, second, third = scim.Users.create([new("ada"), new("bob"), new("cyd")], run)
    assert first is None, "an operation without an answer is in doubt"
    by_id = {user["id"]: user["userName"] for user in stored("Users")}
    assert [by_id[key] for key in ids([second, third])] == ["bob@example.org", "cyd@example.org"]


def test_answers_without_bulk_ids_are_matched_by_place(run: Run, proxy: FaultyProxy, stored: Stored) -> None:
    def older(answer: Any) -> Any:
        return {"Operations": [{"method": each["method"], "location": each["location"],
                                "status": {"code": each["status"]}} for each in answer["Operations"]]}
    proxy.rewrite("POST", "/Bulk", older)
    assert set(ids(scim.Users.create([new("ada"), new("bob")], run))) == {user["id"] for user in stored("Users")}


def _with_statuses(proxy: FaultyProxy, *statuses: int) -> None:
    """Let operations of the next bulk answers look refused."""
    def change(answer: Any) -> Any:
        for operation, status in zip(answer["Operations"], statuses, strict=False):
            if status != 201:
                operation.update(status=str(status), response={"status": str(status), "detail": "so sorry"})
        return answer
    proxy.rewrite("POST", "/Bulk", change)


def test_an_operation_that_failed_at_the_server_is_in_doubt(run: Run, proxy: FaultyProxy) -> None:
    _with_statuses(proxy, 201, 500)
    first, second = scim.Users.create([new("ada"), new("bob")], run)
    assert isinstance(first, Done)
    assert second is None


def test_a_bulk_in_which_everything_failed_is_the_destinations_trouble(run: Run, proxy: FaultyProxy) -> None:
    _with_statuses(proxy, 500, 503)
    with pytest.raises(Unavailable, match="every operation failed .*so sorry") as caught:
        scim.Users.create([new("ada"), new("bob")], run)
    assert caught.value.sent


def test_operations_throttled_at_the_end_are_handed_back(run: Run, proxy: FaultyProxy) -> None:
    _with_statuses(proxy, 201, 429, 429)
    with pytest.raises(Throttled, match="2 of 3 operations") as caught:
        scim.Users.create([new("ada"), new("bob"), new("cyd")], run)
    assert len(caught.value.outcomes) == 1
    assert isinstance(caught.value.outcomes[0], Done)


def test_all_operations_throttled(run: Run, proxy: FaultyProxy) -> None:
    _with_statuses(proxy, 429, 429)
    with pytest.raises(Throttled) as caught:
        scim.Users.create([new("ada"), new("bob")], run)
    assert not caught.value.outcomes


def test_an_operation_throttled_in_the_middle_is_rejected(run: Run, proxy: FaultyProxy) -> None:
    _with_statuses(proxy, 201, 429, 201)
    first, second, third = scim.Users.create([new("ada"), new("bob"), new("cyd")], run)
    assert second == Rejected("429", "so sorry")
    assert len(ids([first, third])) == 2
