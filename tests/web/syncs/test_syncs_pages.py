"""The pages of syncs, their subjects and accounts: what they show, to whom, and what can be done there."""

import re
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from penstock import Penstock
from penstock.web.site import for_this_machine
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.engine import Engine
from tests.web.conftest import Client, browser
from tests.web.syncs.conftest import HOSTILE

PAGES = ["/syncs", "/syncs/people", "/syncs/people?by=account", "/syncs/people?order=streak",
         "/syncs/people?order=name", "/syncs/people/subjects/g1", "/syncs/people/subjects/g%2F2",
         "/syncs/people/accounts/acme", "/syncs/people/plan/g1", "/syncs/people/failed", "/runs",
         "/runs?sync=people&status=succeeded", "/runs/1", "/windows", "/windows/1",
         "/windows?sync=people&account=acme", "/limits", "/approvals", "/why/sent", "/why/waiting/people?subject=g1",
         "/why/sent/people/People?subject=g1&key=p03"]


def test_pages_open_and_the_api_gives_the_same(synced: Engine, client: Client) -> None:
    for path in PAGES:
        page = client.get(path)
        assert page.status_code == 200, page.text
        assert HOSTILE not in page.text, path
        assert "hunter2" not in page.text, path
        assert not re.search(r"\sstyle=|<script(?! src=)|\son\w+=", page.text), path
        assert client.get(f"/api/v1{path}").status_code == 200


def test_an_empty_page_teaches(client: Client) -> None:
    for path in ("/syncs/people", "/runs", "/windows", "/limits", "/approvals", "/syncs/people/failed"):
        assert 'class="empty"' in client.get(path).text, path


def test_an_app_without_syncs_is_told_what_one_is(store_url: str, clock: Clock) -> None:
    with Penstock(store_url, now=clock.expression) as app, browser(for_this_machine(app, share_seconds=0)) as client:
        for path in ("/syncs", "/why/sent"):
            assert "This app declares no sync" in client.get(path).text


def test_what_there_is_not_is_said(client: Client) -> None:
    for path in (
            "/syncs/peeple", "/syncs/people/subjects/nobody", "/syncs/people/accounts/nobody",
            "/syncs/people/plan/nobody", "/runs/404", "/runs?sync=peeple", "/windows?sync=peeple", "/windows/404",
            "/approvals/people/404", "/approvals?sync=peeple", "/why/waiting/people?subject=nobody",
            "/why/sent/people/Persons?subject=g1&key=p1", "/why/sent/people/People?subject=nobody&key=p1",
            "/syncs/peeple/failed"):
        page = client.get(path)
        assert page.status_code == 404, page.text
        assert "There is no page of this address" not in page.text, path


def test_syncs_show_how_they_stand(synced: Engine, client: Client) -> None:
    page = client.get("/syncs").text
    assert 'id="sync-people"' in page
    assert "no run yet" in page, "of the other one"
    found = client.get("/api/v1/syncs").json()["syncs"]
    assert [(each["name"], each["statistics"]["runs"]) for each in found] == [("people", 2), ("directory", 0)]


def test_syncs_show_what_is_wrong_now(synced: Engine, client: Client, directory: Directory, app: Penstock) -> None:
    directory.fail_after = 0
    synced.sync("people", "g/2")
    for _ in range(6):
        synced.clock.advance(400)
        synced.settle_all()
    synced.upkeep()
    app.gate("sync:people:acme").close(f"429 {HOSTILE}", by="a worker")
    app.pause(sync="directory")
    found = client.get("/api/v1/syncs").json()
    assert [(each["sync"], each["subject"]["name"], each["subject"]["streak"]) for each in found["failing"]] == [
        ("people", "g/2", 1)]
    assert [(each["sync"], each["records"]["code"], each["records"]["count"]) for each in found["records"]] == [
        ("people", "invalid", 1)]
    assert [(each["key"], each["sync"], each["account"]) for each in found["gates"]] == [
        ("sync:people:acme", "people", "acme")]
    assert [each["subject"] for each in found["runs"]] == ["g/2", "g/2", "g1"]
    page = client.get("/syncs").text
    for said in ("1 in a row", "the source broke off", "1 record of people / People", "lets no call through",
                 "is admitted until it is resumed"):
        assert said in page, said
    assert HOSTILE not in page
    assert 'action="/syncs/people/request"' in page


def test_syncs_say_that_nothing_is_wrong(client: Client) -> None:
    page = client.get("/syncs").text
    assert "No subject fails" in page
    assert "No run yet" in page


def test_the_page_of_a_sync_has_its_most_frequent_errors(synced: Engine, client: Client) -> None:
    page = client.get("/syncs/people").text
    assert "Retry these" in page
    assert [each["code"] for each in client.get("/api/v1/syncs/people").json()["records"]] == ["invalid"]
    assert client.get("/api/v1/syncs/people?find=g").json()["records"] == []


def test_subjects_come_by_what_is_wrong_with_them(synced: Engine, client: Client, directory: Directory) -> None:
    directory.fail_after = 0
    synced.sync("people", "g/2")
    for _ in range(6):
        synced.clock.advance(400)
        synced.settle_all()
    synced.upkeep()
    page = client.get("/syncs/people?order=streak").text
    assert "1 in a row" in page
    assert "/syncs/people/subjects/g%2F2" in page
    assert "/syncs/people/subjects/g1" not in page
    assert "the source broke off" in client.get("/syncs/people/subjects/g%2F2").text
    assert [row["name"] for row in client.get("/api/v1/syncs/people?find=g/").json()["rows"]] == ["g/2"]


def test_lists_go_on_page_by_page(engine: Engine, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.web.pages import syncs

    monkeypatch.setattr(syncs, "PAGE", 2)
    engine.sync("people", *(f"s{number}" for number in range(5)))
    engine.upkeep()
    for order in ("slowest", "name"):
        seen: list[str] = []
        path: str | None = f"/api/v1/syncs/people?order={order}"
        while path is not None:
            found = client.get(path).json()
            seen += [row["name"] for row in found["rows"]]
            path = f"/api/v1/syncs/people?order={order}&after={found['next']}" if found["next"] else None
        assert sorted(seen) == [f"s{number}" for number in range(5)]
    assert client.get("/syncs/people?after=elsewhere").status_code == 400


def test_a_subject_is_requested_and_its_priority_raised_and_the_run_cancelled(
    app: Penstock, engine: Engine, client: Client
) -> None:
    app.pause(sync="people")
    page = client.post_form("/syncs/people/request", {"subject": "g1", "account": "acme", "what": "full"})
    assert page.status_code == 200
    assert "g1 of people is requested, everything again" in page.text
    engine.dispatch()
    [run] = app.runs("people")
    assert "everything again</span>" in client.get("/runs").text
    assert (run.status, run.options, run.reasons) == ("pending", '{"full":true}', '["asked by local"]')
    assert "Raise priority" in client.get("/syncs/people/subjects/g1").text
    page = client.post_form(f"/runs/{run.id}/priority", {"priority": "20"})
    assert "goes with priority 20" in page.text
    engine.dispatch()
    assert app.runs("people")[0].priority == 20
    assert "sync people" in client.get("/why/waiting/people?subject=g1").text
    assert "is paused" in client.get(f"/api/v1/runs/{run.id}").json()["waits"], "why it waits, on its own page too"
    page = client.post_form(f"/runs/{run.id}/cancel", {"reason": "not today"})
    assert f"run {run.id} is cancelled" in page.text
    assert app.runs("people")[0].error == "cancelled by local: not today"
    assert "there is nothing to cancel" in client.post_form(f"/runs/{run.id}/cancel", {}).text
    assert "only one that waits" in client.post_form(f"/runs/{run.id}/priority", {"priority": "30"}).text
    told = [(each.about, each.before, each.after) for each in app.journal()][::-1]
    assert told[0] == ("sync:people/g1", None, "requested, everything again")
    assert told[1] == (f"run:{run.id}", "priority 0", "priority 20")
    assert told[2] == (f"run:{run.id}", "pending", "cancelled")


def test_a_sync_and_an_account_are_paused_and_resumed(app: Penstock, synced: Engine, client: Client) -> None:
    assert "people is paused" in client.post_form("/syncs/people/pause", {}).text
    assert [each.what for each in app.paused()] == ["sync people"]
    assert "Resume" in client.get("/syncs/people").text
    assert "was paused already" in client.post_form("/syncs/people/pause", {}).text
    assert "people is resumed" in client.post_form("/syncs/people/resume", {}).text
    page = client.post_form("/syncs/people/pause", {"account": "acme"})
    assert "account acme of people is paused" in page.text
    assert [each.what for each in app.paused()] == ["account acme of sync people"]
    client.post_form("/syncs/people/resume", {"account": "acme"})
    assert app.paused() == []
    assert app.journal()[0].about == "sync:people/acme"


def test_an_account_shows_its_gate_which_is_opened_by_hand(app: Penstock, synced: Engine, client: Client) -> None:
    app.gate("sync:people:acme").close(f"429 {HOSTILE}", by="a worker")
    page = client.get("/syncs/people/accounts/acme").text
    assert "The gate of this account is closed" in page
    assert "For how long the last 2 runs were served, the oldest first" in page
    assert HOSTILE not in page
    client.post_form("/limits/open", {"key": "sync:people:acme"})
    assert app.gate("sync:people:acme").state == "open"
    assert [(each.about, each.before, each.after) for each in app.journal()] == [
        ("gate:sync:people:acme", "closed", "open")]


def test_a_plan_tells_no_value_that_is_named_like_a_secret(
        synced: Engine, client: Client, directory: Directory) -> None:
    directory.groups["g1"]["p99"] = "token=hunter2"
    for path in ("/syncs/people/plan/g1", "/api/v1/syncs/people/plan/g1"):
        page = client.get(path)
        assert page.status_code == 200
        assert "token=" in page.text
        assert "hunter2" not in page.text


def test_a_plan_is_shown_and_nothing_is_sent(synced: Engine, client: Client, directory: Directory) -> None:
    directory.groups["g1"] |= {"p01": HOSTILE, "p99": "new"}
    before, calls = synced.state("People"), len(directory.people.calls)
    page = client.get("/syncs/people/plan/g1").text
    assert "+1 to create" in page
    assert "~1 to update" in page
    assert "to delete" not in page, "there is nothing of it to say"
    assert "&lt;script&gt;" in page, "whoever may see values sees them, escaped"
    assert (synced.state("People"), len(directory.people.calls)) == (before, calls)


def test_a_source_that_fails_is_told_on_the_page(synced: Engine, client: Client, directory: Directory) -> None:
    directory.fail_after = 3
    page = client.get("/syncs/people/plan/g1")
    assert page.status_code == 200
    assert "the source broke off" in page.text
    assert "the source broke off" in client.get("/why/sent/people/People?subject=g1&key=p03").text


def test_whoever_may_only_read_is_refused(synced: Engine, app: Penstock, onlooker: Client) -> None:
    acts: list[tuple[str, dict[str, object]]] = [
        ("/syncs/people/request", {"subject": "g1"}), ("/syncs/people/pause", {}), ("/syncs/people/resume", {}),
        ("/syncs/people/retry", {"kind": "invalid"}), ("/runs/1/cancel", {}), ("/runs/1/priority", {"priority": 5}),
        ("/limits/open", {"key": "k"}), ("/limits/close", {"key": "k", "reason": "r"}),
        ("/approvals/people/1/approve", {}), ("/approvals/people/1/refuse", {})]
    for path, fields in acts:
        assert onlooker.post(path, data=fields).status_code == 403, path
        assert onlooker.post(f"/api/v1{path}", json=fields).status_code == 403, path
    assert app.paused() == []
    assert app.gate("k").state == "open"


def test_whoever_may_only_read_is_offered_nothing_else_and_sees_no_values(
    synced: Engine, onlooker: Client, directory: Directory
) -> None:
    directory.groups["g1"]["p01"] = "a private name"
    for path in PAGES:
        page = onlooker.get(path)
        assert page.status_code == 200
        assert 'method="post" action="/syncs' not in page.text
        assert 'method="post" action="/runs' not in page.text
        assert "a private name" not in page.text
    found = onlooker.get("/api/v1/why/sent/people/People?subject=g1&key=p01").json()["why"]
    assert (found["payload"], found["match"]) == (["name"], None)


def test_what_a_name_means_is_not_taken_for_markup(app: Penstock, client: Client, engine: Engine,
                                                   directory: Directory) -> None:
    directory.groups = {HOSTILE: {HOSTILE: HOSTILE}}
    engine.sync("people", HOSTILE, account=HOSTILE)
    engine.upkeep()
    quoted = quote(HOSTILE, safe="")
    for path in ("/syncs/people", "/runs", "/runs/1", "/windows", f"/syncs/people/subjects/{quoted}",
                 f"/syncs/people/accounts/{quoted}", f"/syncs/people/plan/{quoted}"):
        page = client.get(path)
        assert page.status_code == 200
        assert HOSTILE not in page.text, path


def test_links_know_where_the_site_is_mounted(synced: Engine, app: Penstock) -> None:
    with browser(Starlette(routes=[Mount("/penstock", for_this_machine(app, share_seconds=0))])) as client:
        page = client.get("/penstock/syncs/people").text
        assert 'href="/penstock/syncs/people/subjects/g1"' in page
        assert not re.findall(r'(?:href|action)="/(?!penstock)', page)
