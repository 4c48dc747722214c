"""A SCIM service as source, by index and by cursor, under the kit; what cuts it short takes users from its pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import msgspec
import pytest

from penstock.connectors import scim
from penstock.connectors.scim.messages import USER_SCHEMA
from penstock.domain.records import Calls
from penstock.sync import Layer, Run
from penstock.testing.connectors import CHECKS, Records
from tests.servers.scim import FaultyProxy, ScimServer
from tests.testing.kit.cases import AddressBook, Book, Entry

_tenants = count(1)


class FromService(AddressBook):
    """Entries as users of a service."""

    def __init__(self, server: ScimServer, between: FaultyProxy) -> None:
        self.server = server
        self.between = between
        self.cutting = False
        between.rewrite("GET", "/Users", self.cut)

    def fresh(self) -> None:
        self.book = Book()
        self.between.upstream = self.server.tenant(f"source-{next(_tenants)}")
        self.users: dict[str, str] = {}

    def layers(self) -> list[type[Layer[Any]]]:
        case = self

        class Entries(Layer[Entry]):
            key, match = "id", "name"
            source = scim.Source("Users", url=case.between.url, token=case.server.token, fields={
                "id": "externalId", "name": "userName", "city": "displayName"})
            destination = case.book

            def render(self, entry: Entry, run: Run) -> dict[str, Any]:
                return {"name": entry.name, "city": entry.city}

        return [Entries]

    def put(self, records: Records) -> None:
        with scim.connect(self.between.upstream, token=self.server.token) as direct:
            for user in self.users.values():
                direct.request("DELETE", f"/Users/{user}", Calls())
            self.users = {}
            for each in records["Entries"]:
                body = {"schemas": [USER_SCHEMA], "externalId": each.id, "userName": each.name,
                        "displayName": each.city}
                reply = direct.request("POST", "/Users", Calls(), body=msgspec.json.encode(body))
                self.users[each.id] = reply.object()["id"]

    def cut(self, answer: Any) -> Any:
        return {**answer, "Resources": answer["Resources"][:-2], "nextCursor": None} if self.cutting else answer

    def cut_short(self) -> Any:
        return self._cut()

    @contextmanager
    def _cut(self) -> Iterator[None]:
        self.cutting = True
        try:
            yield
        finally:
            self.cutting = False


@pytest.fixture
def between(server: ScimServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.root) as running:
        yield running


@pytest.mark.parametrize("by", ["index", "cursor"])
@pytest.mark.parametrize("name", ["changes", "any_page_size", "page_cut_short", "source_failing", "seeded_faults"])
def test_users_as_source(server: ScimServer, between: FaultyProxy, name: str, by: str) -> None:
    if by == "cursor":
        between.cursors()
    CHECKS[name](FromService(server, between))
