"""Every change, each page and each file of the real site, asked for by people of every set of scopes."""

import re
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock import Penstock
from penstock.web.declared import SCOPES, Action, File, View
from penstock.web.pages import declared
from penstock.web.people import new_token
from penstock.web.site import for_this_machine
from tests.clock import Clock
from tests.web.conftest import Client, browser

SETS = [("read", *more) for count in range(len(SCOPES)) for more in combinations(SCOPES[1:], count)]
PEOPLE = {f"p{number}": (scopes, *new_token(f"p{number}", scopes)) for number, scopes in enumerate(SETS)}
ACTIONS = {action.path: action for action in declared().actions}


@pytest.fixture
def store_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "store.db")
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"web_tokens": ",".join(entry for _, _, entry in PEOPLE.values())}


@pytest.fixture
def client(app: Penstock) -> Iterator[Client]:
    with browser(for_this_machine(app, share_seconds=0)) as client:
        yield client


def filled(path: str) -> str:
    """An address of a path: its parameters are names that are numbers as well."""
    return re.sub(r"{\w+(?::\w+)?}", "7", path)


def needed(declared: View[Any, Any] | File[Any] | Action[Any]) -> dict[str, Any]:
    """What it cannot do without, besides its path."""
    return {field.encode_name: "7" for field in msgspec.structs.fields(declared.asked)
            if field.required and f"{{{field.encode_name}" not in declared.path}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def everything(clock: Clock) -> dict[str, list[Any]]:
    """All rows of all tables."""
    tables = [name for (name,) in clock.fetch("select name from sqlite_master where type = 'table'")]
    return {name: clock.fetch(f'select * from "{name}"') for name in tables}


@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_does_what_their_token_does_not_say(app: Penstock, client: Client, clock: Clock, name: str):
    scopes, token, _ = PEOPLE[name]
    client.sign_in(token)
    before = everything(clock)
    for path, action in ACTIONS.items():
        if action.scope in scopes:
            continue
        page = client.post_form(filled(path), needed(action))
        assert (page.status_code, f"has not the scope {action.scope}" in page.text) == (403, True), path
        answer = client.post(f"/api/v1{filled(path)}", json=needed(action), headers=bearer(token))
        assert (answer.status_code, answer.json()["do"]) == (403, f"Your token has not the scope {action.scope}."), path
    assert everything(clock) == before


@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_sees_what_their_token_does_not_say(client: Client, name: str):
    scopes, token, _ = PEOPLE[name]
    for each in (*declared().views, *declared().files):
        for path in (filled(each.path), f"/api/v1{filled(each.path)}"):
            status = client.get(path, params=needed(each), headers=bearer(token)).status_code
            assert (status == 403) == (each.scope not in scopes), path


def test_every_change_needs_more_than_to_look():
    assert {action.scope for action in ACTIONS.values()} <= set(SCOPES) - {"read"}
    assert len(ACTIONS) >= 20


def test_whatever_is_posted_is_a_change_that_is_declared_or_of_a_session(client: Client):
    """There is no other way in: what takes POST is one of these."""
    site: Any = client.app
    routes = {(route.path, method) for route in site._site._site.routes
              for method in getattr(route, "methods", None) or () if method not in ("GET", "HEAD")}
    assert routes == {*((path, "POST") for path in ACTIONS), *((f"/api/v1{path}", "POST") for path in ACTIONS),
                      ("/sign-in", "POST"), ("/sign-out", "POST"), ("/theme", "POST"), ("/api/v1/{rest:path}", "POST")}


@pytest.mark.parametrize("path", ACTIONS)
def test_nothing_is_done_for_nobody(app: Penstock, client: Client, clock: Clock, path: str):
    before = everything(clock)
    page = client.post_form(filled(path), needed(ACTIONS[path]), follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
    assert client.post(f"/api/v1{filled(path)}", json=needed(ACTIONS[path])).status_code == 401
    assert everything(clock) == before
