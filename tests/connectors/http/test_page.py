"""The page about the HTTP client: its code runs against a server."""

import re
from pathlib import Path
from typing import Any

from penstock.connectors import http
from penstock.connectors.http.reply import EXCERPT_CHARACTERS
from penstock.domain.records import Change, ChangeKind, Complete, Done
from penstock.sync.declaring.ports import Run
from tests.connectors.http.server import Answer, Api

PAGE = (Path(__file__).parents[3] / "docs" / "connectors" / "http.md").read_text("utf-8")
DECLARED, LISTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_its_layer_works(api: Api, client: http.Client, run: Run):
    names: dict[str, Any] = {"__name__": __name__}
    exec(DECLARED, names)
    api.on("GET /directory/g1/people", Answer(json=[{"id": 1}]))
    api.on("POST /people", Answer(201, json={"id": 7}))
    api.on("PUT /people/7", Answer(204))
    api.on("DELETE /people/7", Answer(404))
    people = names["People"]()
    assert list(people.source(run)) == [{"id": 1}]
    assert people.create_one(Change(ChangeKind.CREATE, "1", {}), run) == Done("7")
    change = Change(ChangeKind.UPDATE, "1", {}, remote_id="7")
    assert [people.update_one(change, run), people.delete_one(change, run)] == [Done("7"), Done("7")]
    with names["Directory"]().connect("acme") as connected:
        assert repr(connected) == "<http.Client https://api.example.com/v2>"


def test_its_lists_are_read(api: Api, client: http.Client, run: Run):
    names: dict[str, Any] = {}
    exec(LISTS, names)
    api.on("GET /people", Answer(json={"data": [1], "meta": {"has_more": False}}),
           Answer(json={"items": [2], "total": 1}), Answer(json=[3]))

    def told(items: Any) -> Any:
        proofs.append((yield from items))

    proofs: list[Any] = []
    assert [item for items in names["lists"](client, run) for item in told(items)] == [1, 2, 3]
    assert proofs == [Complete(1)] * 3


def test_the_length_of_an_excerpt():
    assert f"{EXCERPT_CHARACTERS} characters of the body" in PAGE
