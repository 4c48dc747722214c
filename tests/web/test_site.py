"""The site as a whole: mounted anywhere, described, escaped everywhere, and looked after from outside."""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.routing import Mount

from penstock import Penstock
from penstock.web import asgi, pages
from penstock.web.openapi import document
from tests.clock import Clock
from tests.web.conftest import Client, browser
from tests.web.small import OPERATE, TOKENS, small

EVIL = "<script>alert('password=hunter2')</script>"


class Seen(HTMLParser):
    """What a page refers to, and what a strict policy would not run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.refused: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.links += [value for name, value in attributes
                       if name in ("href", "src", "action", "formaction") and value is not None]
        self.ids += [value for name, value in attributes if name == "id" and value is not None]
        self.refused += [f"{tag} {name}" for name in found if name.startswith("on") or name in ("style", "srcdoc")]
        if tag in ("style", "iframe", "object", "embed", "base") or (tag == "script" and "src" not in found):
            self.refused.append(tag)


def plain_views() -> list[str]:
    """The pages that need no parameters, by their paths."""
    return sorted(view.path for view in pages.declared().views if "{" not in view.path)


@pytest.mark.parametrize("path", plain_views())
def test_every_page_opens_on_an_empty_store_and_keeps_to_its_policy(client: Client, path: str):
    page = client.get(path)
    assert page.status_code in (200, 400, 404), page.text  # some are of one thing, which their query names
    found = Seen(page.text)
    assert found.refused == []
    assert [link for link in found.links if not link.startswith(("/", "#", "?"))] == []
    assert len(found.ids) == len(set(found.ids)), "two things of a page have one id"
    assert client.get(f"/api/v1{path}").status_code == page.status_code


def test_each_entry_of_the_navigation_leads_to_a_page(client: Client):
    nav = re.findall(r'<li><a href="([^"]+)" data-key="(\w)"', client.get("/").text)
    assert len({key for _, key in nav}) == len(nav) > 1
    for link, _ in nav:
        page = client.get(link)
        assert page.status_code == 200
        assert 'aria-current="page"' in page.text


def test_text_of_the_store_is_no_markup(app: Penstock, client: Client):
    app.journal_end(app.journal_begin(EVIL, EVIL, EVIL), said=EVIL, about=EVIL, before=EVIL, after=EVIL)
    for page in (client.get("/journal"), client.get("/journal", params={"actor": EVIL})):
        assert page.text.count("&lt;script&gt;") >= 5
        assert "<script>" not in page.text


def test_what_was_asked_for_is_no_markup(client: Client):
    page = client.get("/journal", params={"about": f'"{EVIL}', "before": "7"})
    assert "<script>" not in page.text
    assert Seen(page.text).refused == []


def test_the_description_of_the_api_is_valid():
    validate(msgspec.json.decode(msgspec.json.encode(document(pages.declared(), "/api/v1"))))


def test_the_api_is_described(client: Client):
    found = client.get("/api/v1/openapi.json").json()
    assert found["servers"] == [{"url": "/api/v1"}]
    assert set(found["paths"]) >= {"/", "/journal"}
    names = [each["name"] for each in found["paths"]["/journal"]["get"]["parameters"]]
    assert names == ["actor", "about", "before"]


def test_operations_have_names_of_their_own(client: Client):
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids)) > 2


class TestMounted:
    """Under a prefix of somebody else's application."""

    @pytest.fixture
    def store_url(self, sqlite_template: Path, tmp_path: Path) -> str:
        shutil.copy(sqlite_template, tmp_path / "store.db")
        return f"sqlite:///{tmp_path}/store.db"

    @pytest.fixture
    def client(self, app: Penstock) -> Iterator[Client]:
        with browser(Starlette(routes=[Mount("/ops/jobs", asgi(app, unprotected=True, share_seconds=0))])) as client:
            yield client

    def test_every_link_of_a_page_stays_within_it(self, client: Client):
        page = client.get("/ops/jobs/")
        links = Seen(page.text).links
        assert len(links) > 5
        assert [link for link in links if not link.startswith(("/ops/jobs/", "#"))] == []
        for link in links:
            if "/static/" in link:
                assert client.get(link).status_code == 200
        assert '<meta name="live" content="/ops/jobs/live?of=%2F">' in page.text
        assert page.headers["set-cookie"].split("; ")[-2:] == ["Path=/ops/jobs", "SameSite=lax"]

    def test_forms_lead_back_into_it(self, client: Client):
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/ops/jobs/").text)
        assert token is not None
        done = client.post("/ops/jobs/theme", data={"csrf": token[1], "theme": "dark", "to": "/journal"},
                           headers={"Origin": str(client.base_url)})
        assert (done.status_code, done.url.path) == (200, "/ops/jobs/journal")
        assert 'data-theme="dark"' in done.text

    def test_the_api_and_its_description_lie_within_it(self, client: Client):
        assert client.get("/ops/jobs/api/v1/journal").json() == {"entries": [], "older": None}
        assert client.get("/ops/jobs/api/v1/openapi.json").json()["servers"] == [{"url": "/ops/jobs/api/v1"}]


class TestWithTokens:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"web_tokens": TOKENS}

    def test_one_signs_in_within_the_prefix(self, app: Penstock):
        site = Starlette(routes=[Mount("/ops", small(app))])
        with browser(site) as client:
            page = client.get("/ops/journal")
            assert page.url.path == "/ops/sign-in"
            token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
            assert token is not None
            done = client.post(str(page.url), data={"csrf": token[1], "token": OPERATE, "to": "/journal"},
                               headers={"Origin": "http://127.0.0.1:8321"})
            assert (done.status_code, done.url.path) == (200, "/ops/journal")

    def test_a_file_is_given_to_be_kept(self, app: Penstock):
        with browser(small(app)) as client:
            answer = client.get("/api/v1/queues/q1.json", headers={"Authorization": f"Bearer {OPERATE}"})
            assert (answer.status_code, answer.text) == (200, "{}")
            assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''q1.json"

    def test_numbers_are_for_those_who_may_look(self, app: Penstock):
        with browser(small(app)) as client:
            assert client.get("/metrics").status_code == 401
            assert client.get("/metrics", headers={"Authorization": f"Bearer {OPERATE}"}).status_code == 200


def test_the_process_lives_and_is_ready(client: Client):
    assert (client.get("/healthz").text, client.get("/readyz").text) == ("alive\n", "ready\n")


def test_it_is_not_ready_while_the_store_lacks_migrations(postgres_url: str):
    with Penstock(postgres_url) as app, browser(asgi(app, unprotected=True)) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ready: the store lacks migrations, or has newer ones\n")


def test_it_is_not_ready_while_the_store_does_not_answer(tmp_path: Path, postgres_server: str):
    for url in (f"sqlite:///{tmp_path}/no/such/folder/store.db", f"{postgres_server}_that_is_not"):
        with Penstock(url) as app, browser(asgi(app, unprotected=True)) as client:
            answer = client.get("/readyz")
            assert (answer.status_code, answer.text) == (503, "not ready: the store does not answer\n")
            assert client.get("/").status_code == 503
            assert client.get("/metrics").status_code == 503
            assert client.get("/healthz").status_code == 200


def test_metrics_are_lines_that_collectors_read(app: Penstock, client: Client, clock: Clock):
    @app.task(queue="mail")
    def work() -> None: ...

    app.enqueue_many(work.call() for _ in range(3))
    app.upkeep().step()
    clock.advance(90)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'penstock_jobs{queue="mail",state="available"} 3' in lines
    assert 'penstock_backlog_age_seconds{queue="mail"} 90' in lines
    assert 'penstock_workers{state="alive"} 0' in lines
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) penstock_\w+ .+|penstock_\w+(\{(\w+="[^"]*",?)+\})? [0-9.e+-]+', line), line
    assert len(lines) == len(set(lines))
