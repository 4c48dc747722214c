"""SCIM as a source: what is read, and what a read proves while the service changes or misbehaves."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from penstock.connectors import scim
from penstock.connectors.scim.messages import GROUP_SCHEMA, USER_SCHEMA
from penstock.domain.errors import ConfigurationError, SourceError, Throttled
from penstock.domain.records import Calls, Complete, Subject
from penstock.sync.declaring.ports import Run
from tests.servers.scim import FaultyProxy, ScimServer, Seen

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
Put = Callable[..., str]


@pytest.fixture
def put(proxy: FaultyProxy, server: ScimServer) -> Iterator[Put]:
    """Makes a resource past the proxy, or deletes one; gives its id."""
    with scim.connect(proxy.upstream, token=server.token) as direct:
        def put(kind: str, gone: str | None = None, **fields: Any) -> str:
            if gone is not None:
                direct.request("DELETE", f"/{kind}/{gone}", Calls())
                return gone
            schema = USER_SCHEMA if kind == "Users" else GROUP_SCHEMA
            body = msgspec.json.encode({"schemas": [schema], **fields})
            reply = direct.request("POST", f"/{kind}", Calls(), body=body)
            return str(reply.object()["id"])

        yield put


@pytest.fixture
def people(put: Put) -> list[str]:
    return sorted(put("Users", userName=f"e{number}@example.com", externalId=f"E{number}") for number in range(7))


def read(source: Any, run: Run, size: int = 3) -> tuple[list[dict[str, Any]], Complete | None]:
    records: list[dict[str, Any]] = []
    pages = source.pages(run, size)
    while True:
        try:
            page = next(pages)
        except StopIteration as stop:
            return records, stop.value
        assert len(page) <= size
        records += page


@pytest.mark.parametrize("by", ["index", "cursor"])
@pytest.mark.parametrize("size", [1, 3, 6, 100])
def test_every_resource_is_read_once_in_pages_of_any_size(
        run: Run, proxy: FaultyProxy, people: list[str], by: str, size: int) -> None:
    if by == "cursor":
        proxy.cursors()
    records, proof = read(scim.Source("Users", fields={"id": "id", "email": "userName"}), run, size)
    assert [record["id"] for record in records] == people
    assert {frozenset(record) for record in records} == {frozenset({"id", "email"})}
    assert proof == Complete(7)
    asked = [parse_qs(seen.query, keep_blank_values=True) for seen in proxy.seen if seen.path == "/Users"]
    assert {each["attributes"][0] for each in asked} == {"id,userName"}
    assert {"cursor" in each for each in asked} == {by == "cursor"}
    assert run.calls.read == len(proxy.seen)


def test_fields_are_attributes_by_their_paths(run: Run, put: Put) -> None:
    put("Users", userName="ada", name={"familyName": "Lovelace"}, schemas=[USER_SCHEMA, ENTERPRISE],
        emails=[{"value": "h@example.com", "type": "home"}, {"value": "w@example.com", "type": "work"}],
        **{ENTERPRISE: {"employeeNumber": "17"}})
    fields = {"family": "NAME.familyname", "all": "emails.value", "work": 'emails[type eq "work"].value',
              "number": f"{ENTERPRISE}:employeeNumber", "nick": "nickName"}
    assert read(scim.Source("Users", fields=fields), run)[0] == [
        {"family": "Lovelace", "all": ["h@example.com", "w@example.com"], "work": "w@example.com", "number": "17",
         "nick": None}]


def test_a_filter_has_the_keys_of_the_run_as_strings(run: Run, put: Put, people: list[str]) -> None:
    source = scim.Source("Users", where='externalId eq :subject and not (userName eq ":account")',
                         fields={"id": "externalId"})
    run.subject = Subject("E3", account="acme")
    assert read(source, run) == ([{"id": "E3"}], Complete(1))
    run.subject = Subject('E3" or externalId pr or externalId eq "', account="acme")
    assert read(source, run) == ([], Complete(0))


def test_members_are_those_of_the_groups_that_a_filter_gives(run: Run, put: Put, people: list[str]) -> None:
    doors = put("Groups", displayName="Doors", externalId="doors-7", members=[{"value": each} for each in people[:2]])
    put("Groups", displayName="Empty", externalId="doors-8")
    put("Groups", displayName="Lifts", externalId="doors-9", members=[{"value": people[2]}])
    records, proof = read(scim.MembersOf("externalId eq :subject", fields={"title": "displayName"}), run, 1)
    assert [(each["group"], each["member"], each["title"]) for each in records] == [
        (doors, each, "Doors") for each in people[:2]]
    assert proof == Complete(2)
    assert read(scim.MembersOf(), run)[1] == Complete(3)


@pytest.mark.parametrize("appears", [False, True], ids=["two go", "two go, and two come"])
def test_a_read_in_which_resources_move_from_page_to_page_proves_nothing(
        run: Run, proxy: FaultyProxy, put: Put, people: list[str], appears: bool) -> None:
    """With two more and two less there are as many as before, and yet one that stays was not given."""
    def meanwhile(seen: Seen) -> None:
        for number in range(2):
            put("Users", gone=people[number])
            while appears and (new := put("Users", userName=f"new{number}@example.com")) < people[4]:
                put("Users", gone=new)

    proxy.meanwhile(meanwhile, method="GET", path="/Users", after=1)
    records, proof = read(scim.Source("Users"), run)
    assert people[4] not in [record["id"] for record in records]
    assert proof is None


def test_a_resource_that_comes_in_front_is_no_reason_to_give_others_twice(
        run: Run, proxy: FaultyProxy, put: Put, people: list[str]) -> None:
    pages: list[list[Any]] = []

    def shifted(answer: Any) -> Any:
        """As though the second page were one further back than it was asked for."""
        pages.append(answer["Resources"])
        if len(pages) == 2:
            answer = {**answer, "Resources": [pages[0][-2], *answer["Resources"]], "totalResults": 8}
        return answer

    proxy.rewrite("GET", "/Users", shifted)
    records, proof = read(scim.Source("Users"), run)
    ids = [record["id"] for record in records]
    assert len(set(ids)) == len(ids)
    assert proof is None


def test_an_id_that_comes_twice_leaves_no_proof(run: Run, proxy: FaultyProxy, people: list[str]) -> None:
    def twice(answer: Any) -> Any:
        return {**answer, "Resources": [*answer["Resources"][:-1], answer["Resources"][0]]}

    proxy.rewrite("GET", "/Users", twice)
    assert read(scim.Source("Users"), run, 100)[1] is None


def test_cursors_that_end_before_the_total_leave_no_proof(run: Run, proxy: FaultyProxy, people: list[str]) -> None:
    proxy.cursors()
    proxy.rewrite("GET", "/Users", lambda answer: {**answer, "nextCursor": None})
    records, proof = read(scim.Source("Users"), run)
    assert (len(records), proof) == (3, None)


def test_fewer_resources_than_the_service_says_are_an_error(run: Run, proxy: FaultyProxy, people: list[str]) -> None:
    proxy.rewrite("GET", "/Users", lambda answer: {**answer, "totalResults": 9})
    with pytest.raises(SourceError, match="expected 9 items, as it says itself, got 7"):
        read(scim.Source("Users"), run)


def test_a_service_that_heeds_no_index_is_not_read_for_ever(run: Run, proxy: FaultyProxy, people: list[str]) -> None:
    first: list[Any] = []

    def same(answer: Any) -> Any:
        first.append(answer)
        return first[0]

    proxy.rewrite("GET", "/Users", same)
    with pytest.raises(SourceError, match="given before"):
        read(scim.Source("Users"), run)


def test_trouble_of_the_service_is_told(run: Run, proxy: FaultyProxy, people: list[str]) -> None:
    proxy.error(429, headers={"Retry-After": "7"}, method="GET", path="/Users")
    with pytest.raises(Throttled) as throttled:
        read(scim.Source("Users"), run)
    assert throttled.value.retry_after == 7
    proxy.error(400, "no such attribute", "invalidFilter", method="GET", path="/Users")
    with pytest.raises(SourceError, match="no such attribute"):
        read(scim.Source("Users", where="nonsense pr"), run)
    proxy.offer(filter={"supported": False})
    with scim.connect(proxy.url, token=run.client._token) as client, pytest.raises(SourceError, match="says it cannot"):
        read(scim.Source("Users", where="active eq true"), replace(run, client=client))


def test_a_source_may_have_a_service_of_its_own(server: ScimServer, proxy: FaultyProxy, people: list[str]) -> None:
    run = Run(Subject("doors-7", account="acme"))
    source = scim.Source("Users", url=proxy.url, token=server.token)
    assert server.token not in repr(source)
    assert read(source, run)[1] == Complete(7)
    assert run.calls == Calls(), "they are no calls to the destination"


def test_mistakes_are_told_together() -> None:
    with pytest.raises(ConfigurationError) as error:
        scim.Source("Users/", fields={"name": "name..x"}, where="id eq :subjct", page_size=0, token="x")
    assert len(error.value.faults) == 5
    assert ":subjct" in str(error.value)
