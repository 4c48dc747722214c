"""Closed by default: who comes in, by which names, and what every answer says to browsers. No store matters here."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import ConfigurationError
from penstock.web import asgi
from penstock.web.guarding import CSP, MOST_BYTES
from penstock.web.site import for_this_machine
from penstock.web.slowing import Slowing
from tests.web.conftest import URL, Client, browser
from tests.web.small import OPERATE, READ, TOKENS, small


@pytest.fixture
def store_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "store.db")
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"web_tokens": TOKENS, "web_secret": "signs the sessions of this test"}


@pytest.fixture
def client(app: Penstock) -> Iterator[Client]:
    """Somebody who has no token yet."""
    with browser(small(app, hosts=("dash.example",)), raising=False) as client:
        yield client


def paused(app: Penstock) -> list[str]:
    return [each.what for each in app.paused()]


def test_to_mount_it_one_needs_tokens_or_has_to_say_so(store_url: str):
    with Penstock(store_url) as app:
        with pytest.raises(ConfigurationError, match="expected tokens for the dashboard, got none"):
            asgi(app)
        asgi(app, unprotected=True)


def test_what_others_can_reach_by_a_name_needs_tokens(store_url: str):
    with Penstock(store_url, web_hosts="dash.example") as app, pytest.raises(ConfigurationError, match="needs tokens"):
        for_this_machine(app)


def test_whoever_has_no_session_is_asked_for_a_token_and_led_back(client: Client):
    page = client.get("/journal?actor=anna", follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?to=%2Fjournal%3Factor%3Danna")
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(page.headers["location"]).text)
    assert token is not None
    done = client.post("/sign-in", data={"csrf": token[1], "token": READ, "to": "/journal?actor=anna"},
                       headers={"Origin": URL})
    assert (done.status_code, str(done.url)) == (200, f"{URL}/journal?actor=anna")
    assert "rita" in done.text


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/journal", "/api/v1/openapi.json", "/live?of=/", "/metrics"])
def test_programs_without_a_token_are_refused(client: Client, path: str):
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"Authorization": "Bearer penstock_nobody"}).status_code == 401
    assert client.get(path, headers={"Authorization": f"Basic {READ}"}).status_code == 401


def test_a_program_comes_in_by_its_token(client: Client):
    answer = client.get("/api/v1/", headers={"Authorization": f"Bearer {READ}"})
    assert answer.status_code == 200
    assert "queues" in answer.json()


@pytest.mark.parametrize("given", ["", "wrong", "penstock_", OPERATE[:-1], TOKENS, "é\0"],
                         ids=["none", "wrong", "prefix", "shorter", "hashes", "odd"])
def test_a_wrong_token_lets_nobody_in(client: Client, given: str):
    page = client.sign_in(given)
    assert page.status_code == 403
    assert "This token is not known" in page.text
    assert client.get("/", follow_redirects=False).status_code == 303


def test_a_session_cookie_is_for_this_site_alone(client: Client):
    client.get("/sign-in")
    cookies = client.post_form("/sign-in", {"token": READ}, follow_redirects=False).headers.get_list("set-cookie")
    (cookie,) = [each for each in cookies if each.startswith("penstock_session=")]
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "secure" not in cookie.lower()


def test_over_https_cookies_are_for_https_alone(app: Penstock):
    with browser(small(app, hosts=("dash.example",)), "https://dash.example") as client:
        cookies = client.get("/sign-in").headers.get_list("set-cookie")
        cookies += client.post_form("/sign-in", {"token": READ}, follow_redirects=False).headers.get_list("set-cookie")
        assert cookies
        assert [each for each in cookies if "; secure" not in each.lower()] == []


def test_signing_in_begins_another_session(client: Client):
    client.get("/sign-in")
    before = client.cookies["penstock_session"]
    client.sign_in(READ)
    after = client.cookies["penstock_session"]
    assert after != before
    client.cookies.clear()
    client.cookies.set("penstock_session", before)
    assert client.get("/", follow_redirects=False).status_code == 303


def test_signing_out_ends_the_session_even_of_a_copied_cookie(client: Client):
    client.sign_in(READ)
    copied = client.cookies["penstock_session"]
    assert client.post_form("/sign-out", {}).url.path == "/sign-in"
    assert client.get("/", follow_redirects=False).status_code == 303
    client.cookies.clear()
    client.cookies.set("penstock_session", copied)
    assert client.get("/", follow_redirects=False).status_code == 303


def test_signing_out_ends_the_session_in_every_process_and_after_a_restart(
        app: Penstock, client: Client, store_url: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.web.signed_out.LOOK_SECONDS", 0.0)
    client.sign_in(READ)
    copied = client.cookies["penstock_session"]
    with Penstock(store_url, now=app.settings.now, **settings) as beside, browser(small(beside)) as other:
        def status(browser: Client) -> int:
            browser.cookies.clear()
            browser.cookies.set("penstock_session", copied)
            return int(browser.get("/", follow_redirects=False).status_code)

        assert status(other) == 200
        client.post_form("/sign-out", {})
        assert status(other) == 303
        with browser(small(beside)) as begun_anew:
            assert status(begun_anew) == 303
        assert other.sign_in(READ).status_code == 200
    (entry,) = app.journal()
    assert (entry.actor, entry.about, entry.said) == ("rita", "session", "signed out")


def test_a_session_ends_with_its_token(app: Penstock, client: Client, store_url: str):
    client.sign_in(READ)
    cookie = client.cookies["penstock_session"]
    others = TOKENS.partition(", ")[2]
    for tokens, status in ((TOKENS, 200), (others, 303)):
        kept = {"now": app.settings.now, "web_secret": app.settings.web_secret}
        with Penstock(store_url, web_tokens=tokens, **kept) as again, browser(small(again)) as other:
            other.cookies.set("penstock_session", cookie)
            assert other.get("/", follow_redirects=False).status_code == status


@pytest.mark.parametrize("cookie", ["", "x", "a.b", "WyJ4IiwxLCIiLCIiXQ.AAAA"])
def test_a_forged_cookie_is_none(client: Client, cookie: str):
    client.cookies.set("penstock_session", cookie)
    assert client.get("/", follow_redirects=False).status_code == 303


def test_whoever_may_only_read_changes_nothing(app: Penstock, client: Client):
    client.sign_in(READ)
    assert client.post_form("/queues/q1/pause", {}).status_code == 403
    answer = client.post("/api/v1/queues/q1/pause", headers={"Authorization": f"Bearer {READ}"})
    assert (answer.status_code, answer.json()["do"]) == (403, "Your token has not the scope operate.")
    assert (paused(app), app.journal()) == ([], [])


def test_a_change_is_made_by_a_form_and_written_down(app: Penstock, client: Client):
    client.sign_in(OPERATE)
    page = client.post_form("/queues/q1/pause", {})
    assert (page.status_code, page.url.path) == (200, "/")
    assert "queue q1 is paused" in page.text
    assert "queue q1 is paused" not in client.get("/").text
    assert paused(app) == ["queue q1"]
    (entry,) = app.journal()
    assert (entry.actor, entry.action, entry.about, entry.before, entry.after, entry.said) == (
        "olga", "/queues/{queue}/pause", "queue:q1", "open", "paused", "queue q1 is paused")


def test_a_change_that_was_refused_is_written_down_too(app: Penstock, client: Client):
    client.sign_in(OPERATE)
    assert client.post_form("/queues/odd/pause", {}).status_code == 409
    (entry,) = app.journal()
    assert entry.said == "This was refused. this queue cannot be paused"


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_a_form_without_the_sessions_token_changes_nothing(app: Penstock, client: Client, token: str | None):
    client.sign_in(OPERATE)
    fields = {} if token is None else {"csrf": token}
    page = client.post("/queues/q1/pause", data=fields, headers={"Origin": URL, "Sec-Fetch-Site": "same-origin"})
    assert page.status_code == 400
    headers = {"Origin": URL, "X-CSRF-Token": token or ""}
    assert client.post("/api/v1/queues/q1/pause", headers=headers).status_code == 400
    assert paused(app) == []


def test_a_form_with_the_token_of_another_session_changes_nothing(app: Penstock, client: Client):
    with browser(small(app)) as other:
        other.sign_in(OPERATE)
        token = other.form_token()
    client.sign_in(OPERATE)
    page = client.post("/queues/q1/pause", data={"csrf": token}, headers={"Origin": URL})
    assert (page.status_code, paused(app)) == (400, [])


FOREIGN = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
           {"Origin": "http://127.0.0.1"}, {"Origin": "http://127.0.0.1:8321.evil.example"}, {"Origin": "chrome://x"},
           {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
           {"Origin": URL, "Sec-Fetch-Site": "cross-site"}]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_site_changes_nothing_even_with_everything_else(
        app: Penstock, client: Client, headers: dict[str, str]):
    client.sign_in(OPERATE)
    token = client.form_token()
    assert client.post("/queues/q1/pause", data={"csrf": token}, headers=headers).status_code == 403
    answer = client.post("/api/v1/queues/q1/pause", headers={"Authorization": f"Bearer {OPERATE}", **headers})
    assert (answer.status_code, paused(app)) == (403, [])


def test_a_page_of_another_site_reads_nothing(client: Client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Authorization": f"Bearer {READ}"}
    assert client.get("/api/v1/", headers=headers).status_code == 403
    assert client.get("/sign-in", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
                      ).status_code == 200


def test_a_program_needs_no_token_against_forgery(app: Penstock, client: Client):
    answer = client.post("/api/v1/queues/q1/pause", headers={"Authorization": f"Bearer {OPERATE}"})
    assert (answer.status_code, answer.json()["said"], paused(app)) == (200, "queue q1 is paused", ["queue q1"])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "",
                                  "localhost.evil.example", "dash.example.evil", "[::1].evil.example"])
def test_by_another_name_it_is_not_there(client: Client, host: str):
    for path in ("/", "/healthz", "/static/penstock.css", "/api/v1/"):
        assert client.get(path, headers={"Host": host, "Authorization": f"Bearer {READ}"}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8321", "127.0.0.1", "[::1]:8321", "10.0.0.7:80", "DASH.example",
                                  "dash.example."])
def test_by_its_own_names_it_is(client: Client, host: str):
    assert client.get("/api/v1/", headers={"Host": host, "Authorization": f"Bearer {READ}"}).status_code == 200


def test_what_is_for_this_machine_is_not_led_to_by_a_proxy(store_url: str):
    with Penstock(store_url) as app, browser(small(app)) as client:
        assert client.get("/").status_code == 200
        for name in ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP"):
            assert client.get("/", headers={name: "203.0.113.7"}).status_code == 403


def test_every_answer_says_what_browsers_may_do_with_it(app: Penstock, client: Client):
    answers = [client.get(path, follow_redirects=False) for path in (
        "/", "/sign-in", "/nowhere", "/api/v1/", "/api/v1/nowhere", "/healthz", "/readyz", "/metrics",
        "/static/penstock.css", "/static/nothing.css", "/live?of=/")]
    answers += [client.get("/", headers={"Host": "evil.example"}), client.post("/", headers={"Origin": "https://evil"}),
                client.post("/queues/q1/pause"), client.request("TRACE", "/"), client.put("/")]
    client.sign_in(OPERATE)
    answers += [client.get(path) for path in ("/", "/wrong?fault=missing", "/wrong?fault=broken", "/wrong?before=x",
                                              "/queues/q1.json", "/journal")]
    answers += [client.post_form("/queues/odd/pause", {})]
    assert {answer.status_code for answer in answers} >= {200, 303, 400, 401, 403, 404, 405, 409, 421, 500}
    for answer in answers:
        assert answer.headers["content-security-policy"] == CSP, answer.url
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        kept = "immutable" if answer.url.path == "/static/penstock.css" else "no-store"
        assert kept in answer.headers["cache-control"]
    assert "default-src 'none'" in CSP
    assert "unsafe" not in CSP


def test_what_breaks_tells_people_nothing_of_it(client: Client):
    client.sign_in(READ)
    page = client.get("/wrong?fault=broken")
    assert page.status_code == 500
    assert "hunter2" not in page.text
    assert "ZeroDivisionError" not in page.text


def test_a_body_is_bounded(client: Client):
    client.sign_in(OPERATE)
    large = b"x" * (MOST_BYTES + 1)
    headers = {"Authorization": f"Bearer {OPERATE}", "Content-Type": "application/json"}
    assert client.post("/api/v1/queues/q1/pause", content=large, headers=headers).status_code == 413
    assert client.post("/api/v1/queues/q1/pause", content=iter([large]), headers=headers).status_code == 413
    assert client.post("/queues/q1/pause", content=iter([large]), headers={
        "Origin": URL, "Content-Type": "application/x-www-form-urlencoded"}).status_code == 413


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example",
                                "javascript:alert(1)", "/\t/evil.example", "/x//evil.example"])
def test_signing_in_leads_to_this_site_alone(client: Client, to: str):
    done = client.post_form("/sign-in", {"token": READ, "to": to}, follow_redirects=False)
    assert done.status_code == 303
    assert re.fullmatch(r"/(x/evil\.example)?", done.headers["location"])


def test_guessing_tokens_gets_slow(app: Penstock, monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr("penstock.web.signing.Slowing", lambda: Slowing(lambda: now[0]))
    with browser(small(app)) as client:
        assert [client.sign_in("guess").status_code for _ in range(6)] == [403] * 5 + [429]
        page = client.sign_in(READ)
        assert (page.status_code, page.headers["retry-after"]) == (429, "2")
        now[0] += 2
        assert client.sign_in(READ).status_code == 200


@pytest.mark.parametrize("query", ["before=x", "before=99999999999999999999999", "before=1.5", "state=a%00b"])
def test_a_query_that_cannot_be_is_said_to_be(client: Client, query: str):
    client.sign_in(READ)
    page = client.get(f"/wrong?{query}")
    assert page.status_code == 400
    assert "could not be understood" in page.text


@pytest.mark.parametrize("body", [b"[", b"[]", b"7", b'{"queue": "q2", "more": 1}', b"[" * 100_000, b"\xff"])
def test_json_that_cannot_be_is_said_to_be(app: Penstock, client: Client, body: bytes):
    headers = {"Authorization": f"Bearer {OPERATE}", "Content-Type": "application/json"}
    answer = client.post("/api/v1/queues/q1/pause", content=body, headers=headers)
    assert (answer.status_code, paused(app)) == (400, [])
    assert answer.json()["do"]
