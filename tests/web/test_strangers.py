"""What somebody tries who means harm, or whose program is broken. No store matters here."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import Refused
from penstock.web.declared import Action, Declared, Done, Seen
from penstock.web.pages import journal, queues
from penstock.web.site import Site
from tests.web.conftest import URL, Client, browser
from tests.web.small import OPERATE, SMALL, TOKENS, Queue, small


@pytest.fixture
def store_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "store.db")
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"web_tokens": TOKENS, "web_secret": "signs the sessions of this test"}


@pytest.fixture
def client(app: Penstock) -> Iterator[Client]:
    with browser(small(app)) as client:
        client.sign_in(OPERATE)
        yield client


@pytest.mark.parametrize("length", [b"\xb2", b"9" * 5000, b"-1", b"1_0", b"", b"+5", b"0x10"])
def test_a_length_that_is_no_number_is_refused(client: Client, length: bytes):
    answer = client.post("/queues/q1/pause", content=b"", headers=[
        (b"Content-Length", length), (b"Origin", URL.encode())])
    assert answer.status_code == 413
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("body", [b'{"queue": "\\ud800"}', b'{"queue": "\\udfff\\ud800"}'])
def test_text_that_is_none_is_refused(app: Penstock, body: bytes):
    site = Site(app, local=False, share_seconds=0, hosts=(), declared=Declared(queues.VIEWS, queues.ACTIONS))
    with browser(site) as client:
        headers = {"Authorization": f"Bearer {OPERATE}", "Content-Type": "application/json"}
        assert client.post("/api/v1/queues/pause", content=body, headers=headers).status_code == 400


def test_a_form_of_odd_bytes_breaks_nothing(client: Client):
    token = client.form_token()
    for odd in (b"%ff%fe", b"%ed%a0%80", b"\xff", b"%00"):
        page = client.post("/queues/q1/pause", content=b"csrf=%s&queue=%s" % (token.encode(), odd), headers={
            "Origin": URL, "Content-Type": "application/x-www-form-urlencoded"})
        assert page.status_code in (200, 400)
        assert client.get(b"/journal?actor=".decode() + odd.decode("latin-1")).status_code in (200, 400)


def test_to_ask_for_the_head_of_a_stream_begins_none(client: Client):
    answer = client.head("/live?of=/")
    assert (answer.status_code, answer.text) == (200, "")
    assert client.head("/live?of=/nowhere").status_code == 404


@pytest.mark.parametrize(("url", "prefix"), [("https://localhost", "__Host-"), ("http://localhost", "")])
def test_over_https_no_other_name_of_the_domain_sets_a_cookie_of_ours(app: Penstock, url: str, prefix: str):
    with browser(small(app), url) as client:
        client.get("/sign-in")
        client.sign_in(OPERATE)
        assert {f"{prefix}penstock_session"} <= set(client.cookies)
        client.post_form("/queues/q1/pause", {}, follow_redirects=False)
        assert {name for name in client.cookies if "theme" not in name} == {
            f"{prefix}penstock_session", f"{prefix}penstock_said"}
        assert "queue q1 is paused" in client.get("/").text
        session = client.cookies[f"{prefix}penstock_session"]
        client.cookies.clear()
        client.cookies.set("penstock_session" if prefix else "__Host-penstock_session", session)
        assert client.get("/", follow_redirects=False).status_code == 303


def refuse(seen: Seen, asked: Queue) -> Done:
    """As a destination refuses that is asked something."""
    raise Refused("it said: password=hunter2")


@pytest.mark.parametrize("path", ["/queues/q1/ask", "/api/v1/queues/q1/ask"])
def test_what_is_refused_tells_no_secret_to_the_page_nor_to_the_journal(app: Penstock, path: str):
    site = Site(app, local=False, share_seconds=0, hosts=(), declared=Declared(
        (*SMALL.views, *journal.VIEWS), (Action(path="/queues/{queue}/ask", asked=Queue, do=refuse),)))
    with browser(site) as client:
        client.sign_in(OPERATE)
        answer = client.post_form(path, {}) if "/api/" not in path else client.post(
            path, headers={"Authorization": f"Bearer {OPERATE}"})
        assert answer.status_code == 409
        assert "hunter2" not in answer.text
        assert "password=" in answer.text
    (entry,) = app.journal()
    assert "hunter2" not in str(entry)
