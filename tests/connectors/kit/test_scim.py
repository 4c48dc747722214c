"""SCIM against a real server, under the kit, whose proxy strikes each of its requests."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.sync import Layer, Run
from penstock.testing.connectors import CHECKS, ConnectorCase, ConnectorChecks, FaultyProxy, Held, Records
from tests.servers.scim import FaultyProxy as Between
from tests.servers.scim import ScimServer

_tenants = count(1)


@dataclass
class Person:
    id: str
    email: str
    name: str


@dataclass
class Group:
    id: str
    title: str


@dataclass
class Member:
    group_id: str
    person_id: str


def people(*numbers: int, name: str = "Ada") -> list[Person]:
    return [Person(f"E{number}", f"e{number}@example.com", name) for number in numbers]


class ScimCase(ConnectorCase):
    """Each world is a service of its own at one server. `between` says what the server has to offer."""

    page_size = 10

    def __init__(self, server: ScimServer, proxy: FaultyProxy | None = None, between: Between | None = None) -> None:
        self.server = server
        self.proxy = proxy
        self.between = between
        if proxy is not None and between is not None:
            proxy.upstream = between.url

    def fresh(self) -> None:
        self.service = self.server.tenant(f"kit{os.getpid()}-{next(_tenants)}")
        if self.between is not None:
            self.between.upstream = self.service

    def connect(self, account: str) -> Any:
        return scim.connect(self.proxy.url if self.proxy else self.service, token=self.server.token, timeout=60)

    def stored(self, kind: str) -> list[dict[str, Any]]:
        with scim.connect(self.service, token=self.server.token) as direct:
            return list(direct.resources(kind))


class People(Layer[Person]):
    key, match = "id", "email"
    destination = scim.Users

    def render(self, person: Person, run: Run) -> dict[str, Any]:
        return {"externalId": person.id, "userName": person.email, "displayName": person.name}


class Groups(Layer[Group]):
    key, match = "id", "title"
    destination = scim.Groups

    def render(self, group: Group, run: Run) -> dict[str, Any]:
        return {"displayName": group.title}


class Members(Layer[Member]):
    key = ("group_id", "person_id")
    parent, references = Groups.by("group_id"), [People.by("person_id")]
    destination = scim.Members


class ScimPeople(ScimCase):
    first: Records = {"People": people(1, 2, 3)}
    then: Records = {"People": [*people(1), *people(3, name="Bo"), *people(4)]}

    def layers(self) -> list[type[Layer[Any]]]:
        return [People]

    def held(self) -> Held:
        return {"People": [(user["userName"], user) for user in self.stored("Users")]}


class FewScimPeople(ScimPeople):
    """Few, and seen by other processes too."""

    first: Records = {"People": people(1, 2)}
    then: Records = {"People": [*people(1, name="Bo"), *people(3)]}
    outlives_processes = True


class ScimDirectory(ScimPeople):
    first: Records = {
        "People": people(1, 2, 3), "Groups": [Group("G1", "Doors"), Group("G2", "Lifts")],
        "Members": [Member("G1", "E1"), Member("G1", "E2"), Member("G2", "E3")],
    }
    then: Records = {
        "People": [*people(1, 3), *people(4, name="Bo")], "Groups": [Group("G1", "Gates"), Group("G2", "Lifts")],
        "Members": [Member("G1", "E1"), Member("G1", "E3"), Member("G2", "E4")],
    }

    def layers(self) -> list[type[Layer[Any]]]:
        return [Members, Groups, People]

    def held(self) -> Held:
        users, groups = self.stored("Users"), self.stored("Groups")
        employees = {user["id"]: user["externalId"] for user in users}
        known = {each.title: each.id for records in (self.first, self.then) for each in records["Groups"]}
        return {
            "People": [(user["userName"], user) for user in users],
            "Groups": [(group["displayName"], group) for group in groups],
            "Members": [(json.dumps([known[group["displayName"]], employees.get(member["value"])],
                                    separators=(",", ":")), None)
                        for group in groups for member in group.get("members", [])],
        }


@pytest.fixture
def between(server: ScimServer) -> Iterator[Between]:
    with Between(server.root) as running:
        yield running


@pytest.mark.parametrize("way", ["bulk", "single"])
class TestPeople(ConnectorChecks):
    @pytest.fixture
    def connector_case(self, server: ScimServer, proxy: FaultyProxy, between: Between, way: str) -> ConnectorCase:
        if way == "single":
            between.offer(bulk={"supported": False})
        return ScimPeople(server, proxy, between)


@pytest.mark.parametrize("name", ["changes", "look_up", "answers_lost", "seeded_faults"])
def test_people_groups_and_members(server: ScimServer, proxy: FaultyProxy, between: Between, name: str) -> None:
    CHECKS[name](ScimDirectory(server, proxy, between))


def test_people_while_processes_are_killed(server: ScimServer) -> None:
    CHECKS["killed_for_real"](FewScimPeople(server))
