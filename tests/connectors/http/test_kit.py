"""A connector made with the client, source and destination, under the kit, whose proxy strikes each of its requests.

All checks are made of one way of reading lists, and of the others those that are about reading.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from penstock.connectors import http
from penstock.sync import Complete, Layer, Run
from penstock.sync.declaring.ports import Found
from penstock.testing.connectors import CHECKS, ConnectorCase, ConnectorChecks, FaultyProxy, Held, Records
from tests.connectors.http.server import Answer, Api, Seen
from tests.testing.kit.cases import Entry, entries


class AddressBook:
    """An API that lists entries in three ways, and takes contacts; it enforces nothing, behind tokens."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.entries: list[Entry] = []
        self.contacts: dict[str, dict[str, Any]] = {}
        self.cut = False
        self.ids = count(1)
        api.on("POST /token", Answer(json={"access_token": "t", "expires_in": 3600}))
        api.on("GET /entries", self.page)
        api.on("GET /contacts", self.find)
        api.on("POST /contacts", self.create)

    def page(self, seen: Seen) -> Answer:
        start, size = int(seen.params.get("offset", 0)), int(seen.params.get("limit", 3))
        found = self.entries[start:5 if self.cut else None][:size]
        after = start + len(found)
        goes_on = bool(found) and after < (5 if self.cut else len(self.entries))
        link = {"Link": f'<?offset={after}>; rel="next"'} if goes_on else {}
        return Answer(json={"items": [vars(entry) for entry in found], "total": len(self.entries),
                            "next": after if goes_on else None}, headers=link)

    def find(self, seen: Seen) -> Answer:
        return Answer(json=[key for key, each in self.contacts.items() if each["name"] == seen.params["name"]])

    def create(self, seen: Seen) -> Answer:
        key = f"c{next(self.ids)}"
        self.contacts[key] = seen.json
        self.api.on(f"PUT /contacts/{key}", lambda seen: self.change(key, seen))
        self.api.on(f"DELETE /contacts/{key}", lambda seen: self.remove(key))
        return Answer(201, json={"id": key})

    def change(self, key: str, seen: Seen) -> Answer:
        if key not in self.contacts:
            return Answer(410)
        self.contacts[key] = seen.json
        return Answer(204)

    def remove(self, key: str) -> Answer:
        return Answer(204 if self.contacts.pop(key, None) else 404)


class Entries(Layer[Entry]):
    key, match = "id", "name"
    way = "cursor"

    def source(self, run: Run) -> Iterator[Any]:
        asked: dict[str, Any] = {"items": "items", "total": "total"}
        match self.way:
            case "cursor":
                proof = yield from run.client.by_cursor(run, "/entries", cursor="next", param="offset", **asked)
            case "offset":
                proof = yield from run.client.by_offset(run, "/entries", size=2, **asked)
            case _:
                proof = yield from run.client.by_link(run, "/entries", **asked)
        assert isinstance(proof, Complete)
        return proof

    def render(self, entry: Entry, run: Run) -> dict[str, Any]:
        return {"name": entry.name, "city": entry.city}

    def create_one(self, change: Any, run: Run) -> Any:
        return run.client.post(run, "/contacts", json=change.payload).outcome(id_in="id")

    def update_one(self, change: Any, run: Run) -> Any:
        return run.client.put(run, "/contacts/{}", change.remote_id, json=change.payload).outcome(change.remote_id)

    def delete_one(self, change: Any, run: Run) -> Any:
        return run.client.delete(run, "/contacts/{}", change.remote_id).outcome(change.remote_id, gone=(404,))

    def find(self, names: Any, run: Run) -> Found:
        return {name: run.client.get(run, "/contacts", params={"name": name}).json() for name in names}


class HttpCase(ConnectorCase):
    first: Records = {"Entries": entries(1, 2, 3, 4, 5, 6, 7)}
    then: Records = {"Entries": [*entries(1, 2, 4, 5, 6), *entries(7, city="Bath"), *entries(8, 9)]}

    def __init__(self, api: Api, proxy: FaultyProxy, way: str) -> None:
        self.api = api
        self.proxy = proxy
        self.way = way
        proxy.upstream = api.url

    def fresh(self) -> None:
        self.book = AddressBook(self.api)

    def layers(self) -> list[type[Layer[Any]]]:
        return [type("Entries", (Entries,), {"way": self.way})]

    def connect(self, account: str) -> Any:
        assert self.proxy is not None
        auth = http.ClientCredentials(f"{self.proxy.url}/token", client_id="kit", client_secret="s3cret")
        return http.connect(self.proxy.url, auth=auth, timeout=60)

    def put(self, records: Records) -> None:
        self.book.entries = list(records["Entries"])

    def held(self) -> Held:
        return {"Entries": [(contact["name"], contact) for contact in self.book.contacts.values()]}

    @contextmanager
    def cut_short(self) -> Iterator[None]:
        self.book.cut = True
        yield
        self.book.cut = False


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    with FaultyProxy() as proxy:
        yield proxy


@pytest.mark.thorough
class TestByCursor(ConnectorChecks):
    @pytest.fixture
    def connector_case(self, api: Api, proxy: FaultyProxy) -> ConnectorCase:
        return HttpCase(api, proxy, "cursor")


@pytest.mark.parametrize(("way", "check"), [
    *[(way, check) for way in ("offset", "link") for check in ("changes", "any_page_size")],
    ("link", "page_cut_short"), pytest.param("offset", "page_cut_short", marks=pytest.mark.thorough),
])
def test_other_ways_of_reading(api: Api, proxy: FaultyProxy, way: str, check: str):
    CHECKS[check](HttpCase(api, proxy, way))
