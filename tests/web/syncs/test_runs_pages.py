"""The pages of runs, windows, limits, failed records and withheld deletes, and what can be done there."""

from penstock import Penstock, Quota, Rate, Window
from penstock.domain.records import Rejected
from penstock.sync.window.row import begun
from tests.conformance.sync_app import Directory
from tests.conformance.test_history import finish
from tests.engine import Engine
from tests.web.conftest import Client
from tests.web.syncs.conftest import HOSTILE


def withheld(engine: Engine, directory: Directory) -> int:
    """A question about 20 of the 30 people of g1; its number."""
    engine.sync("people", "g1")
    for key in sorted(directory.groups["g1"])[:20]:
        del directory.groups["g1"][key]
    engine.sync("people", "g1")
    [asked] = engine.app.approvals("people")
    return asked.id


def test_a_run_shows_its_layers_windows_and_errors(synced: Engine, client: Client) -> None:
    page = client.get("/runs/1").text
    assert 'id="layer-People"' in page
    assert "created 29" in page, "of the bar"
    assert 'id="window-1"' in page
    assert "Retry these" in page
    found = client.get("/api/v1/runs/1").json()
    assert found["layers"]["People"]["write_calls"] == 3
    assert [each["code"] for each in found["classes"]] == ["invalid"]
    assert [each["subject"] for each in found["windows"][0]["runs"]] == ["g1"]


def test_the_filters_of_runs_are_in_the_url(engine: Engine, client: Client) -> None:
    for number in range(60):
        finish(engine, f"s{number}", "failed" if number % 2 else "succeeded", error="OSError" if number % 2 else None)
    page = client.get("/runs?sync=people&status=failed").text
    assert '<option value="failed" selected>' in page
    assert page.count('id="run-') == 30
    first = client.get("/api/v1/runs").json()
    rest = client.get(f"/api/v1/runs?before={first['next']}").json()
    assert (len(first["runs"]), len(rest["runs"]), rest["next"]) == (50, 10, None)
    assert f"before={first['next']}" in client.get("/runs").text
    assert "contradict" in client.get("/runs?subject=s1").text
    assert "contradict" in client.get("/runs?sync=people&subject=s1&account=acme").text
    assert client.get("/runs?status=fialed").status_code == 409
    assert [each["subject"] for each in client.get("/api/v1/runs?sync=people&subject=s7").json()["runs"]] == ["s7"]


def test_a_run_that_is_served_is_asked_to_end(engine: Engine, client: Client, app: Penstock) -> None:
    app.request_subject("people", "g1", account="acme")
    engine.dispatch()
    assert "ends where it may stop next" in client.post_form("/runs/1/cancel", {"reason": "wrong"}).text
    assert "called off" in client.get("/runs/1").text
    engine.settle_all()
    assert app.runs("people")[0].status == "cancelled"
    assert client.get("/runs/1").status_code == 200


def test_failed_records_are_found_by_key_and_class_with_the_reason(synced: Engine, client: Client) -> None:
    page = client.get("/syncs/people/failed?key=p0").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert HOSTILE not in page
    assert "hunter2" not in page
    found = client.get("/api/v1/syncs/people/failed?status=failed&layer=People&subject=g1").json()
    assert [(each["key"], each["code"], each["subject"]) for each in found["records"]] == [("p03", "invalid", "g1")]
    assert client.get("/api/v1/syncs/people/failed?key=p1").json()["records"] == []
    assert "No such record" in client.get("/syncs/people/failed?key=p1").text
    [kind] = [each["name"] for each in client.get("/api/v1/syncs/people/failed").json()["classes"]]
    assert "Retry these" in client.get(f"/syncs/people/failed?kind={kind}").text
    assert "Retry these" not in client.get("/syncs/people/failed?kind=another").text
    assert "Retry these" not in page, "those whose keys begin so are not all of the class"
    for wrong in ("layer=Persons", "status=odd", "subject=nobody", "after=here"):
        assert "This cannot be looked for" in client.get(f"/syncs/people/failed?{wrong}").text


def test_a_class_or_one_record_is_retried(synced: Engine, client: Client, directory: Directory, app: Penstock) -> None:
    directory.people.refused["p03"] = Rejected("invalid", "still not")
    page = client.post_form("/syncs/people/retry", {"layer": "People", "key": "p03", "subject": "g1"})
    assert "1 record is due now, and 1 run is requested" in page.text
    synced.settle_all()
    assert synced.state("People")["p03"][0] == "failed"
    directory.people.refused.clear()
    [each] = app.error_classes("people")
    client.post_form("/syncs/people/retry", {"kind": each.name})
    synced.settle_all()
    assert synced.state("People")["p03"][0] == "synced"
    assert [entry.after for entry in app.journal()] == ["1 due, 1 requested"] * 2
    assert client.post_form("/syncs/people/retry", {"kind": each.name}).status_code == 409


def test_a_record_says_why_it_was_sent_or_not(synced: Engine, client: Client, directory: Directory) -> None:
    calls = len(directory.people.calls)
    page = client.get("/why/sent/people/People?subject=g1&key=p01").text
    assert "leaves it as it is" in page
    assert "The destination is only asked when you say so" in page
    assert len(directory.people.calls) == calls, "a page asks nobody"
    page = client.get("/why/sent/people/People?subject=g1&key=p01&remote=1").text
    assert "Its look-up finds" in page
    assert [verb for verb, _ in directory.people.calls[calls:]] == ["find"]
    page = client.get("/why/sent/people/People?subject=g1&key=p03").text
    assert "Retry it now" in page
    assert 'href="/runs/1"' in page
    page = client.get("/why/sent?sync=people&layer=People&key=p03").text
    assert 'action="/why/sent/people/People"' in page
    assert 'value="p03"' in page
    page = client.get("/why/sent/people/People?key=p03").text
    assert "Which record of People?" in page
    assert 'value="p03"' in page


def test_withheld_deletes_are_approved_by_their_keys(engine: Engine, directory: Directory, client: Client,
                                                     app: Penstock) -> None:
    id = withheld(engine, directory)
    assert "20 deletes of People" in client.get("/approvals").text
    page = client.get(f"/approvals/people/{id}").text
    assert all(f"p{number:02}" in page for number in range(20))
    page = client.post_form(f"/approvals/people/{id}/approve", {"records": 19})
    assert "nothing was decided" in page.text
    assert app.approvals("people")[0].status == "asked"
    page = client.post_form(f"/approvals/people/{id}/approve", {"records": 20})
    assert "are approved" in page.text
    assert (app.approvals("people")[0].status, app.approvals("people")[0].decided_by) == ("approved", "local")
    entry = app.journal()[0]
    assert (entry.about, entry.before, entry.after) == (f"approval:{id}", "asked", "approved")
    assert client.post_form(f"/approvals/people/{id}/approve", {"records": 20}).status_code == 409
    engine.clock.advance(1)
    engine.sync("people", "g1")
    assert len(engine.state("People")) == 10


def test_a_run_that_withheld_deletes_succeeded_and_says_who_decides(engine: Engine, directory: Directory,
                                                                    client: Client) -> None:
    withheld(engine, directory)
    listed, page = client.get("/runs").text, client.get("/runs/2").text
    assert "20 withheld" in listed
    assert "DeletesWithheld" not in listed
    assert "20 deletes wait for a person" in page
    assert 'href="/approvals?sync=people"' in page
    assert "Request again" in page


def test_keys_of_several_fields_are_read_by_their_parts_and_linked_as_they_are(engine: Engine, directory: Directory,
                                                                               client: Client) -> None:
    engine.sync("directory", "g1")
    for key in sorted(directory.groups["g1"])[:20]:
        del directory.groups["g1"][key]
    engine.sync("directory", "g1")
    [asked] = [each for each in engine.app.approvals("directory") if each.layer == "Members"]
    address = "/why/sent/directory/Members?subject=g1&amp;key=%5B%22g1%22%2C%22p00%22%5D"
    for path in ("/approvals", f"/approvals/directory/{asked.id}", "/syncs/directory/plan/g1"):
        page = client.get(path).text
        assert f'href="{address}">g1 · p00</a>' in page, path
    page = client.get(address.replace("&amp;", "&")).text
    assert "Why was g1 · p00 sent, or not?" in page
    assert "group_id <strong>g1</strong>" in page
    assert client.get(f"/api/v1/approvals/directory/{asked.id}").json()["approval"]["keys"][0] == '["g1","p00"]'


def test_withheld_deletes_are_refused_and_whoever_may_not_decide_is_told(
    engine: Engine, directory: Directory, client: Client, onlooker: Client, app: Penstock
) -> None:
    id = withheld(engine, directory)
    page = onlooker.get(f"/approvals/people/{id}").text
    assert "To decide needs the scope" in page
    assert "/approve" not in page
    assert "are kept" in client.post_form(f"/approvals/people/{id}/refuse", {"records": 20}).text
    assert app.approvals("people")[0].status == "refused"


def test_the_keys_of_a_question_come_page_by_page(engine: Engine, directory: Directory, client: Client) -> None:
    from penstock.web.pages import approvals

    id = withheld(engine, directory)
    whole, approvals._KEYS = approvals._KEYS, 15
    try:
        first = client.get(f"/api/v1/approvals/people/{id}").json()
        rest = client.get(f"/api/v1/approvals/people/{id}?after={first['next']}").json()
    finally:
        approvals._KEYS = whole
    assert (len(first["approval"]["keys"]), len(rest["approval"]["keys"]), rest["next"]) == (15, 5, None)


def test_windows_are_bars_of_fetch_runs_and_what_was_left(synced: Engine, client: Client) -> None:
    page = client.get("/windows?sync=people").text
    assert page.count('class="chart bar"') == 2
    assert "g1: " in page
    found = client.get("/api/v1/windows?sync=people&account=acme").json()["windows"]
    assert [each["ended_by"] for each in found] == ["one run", "one run"]
    assert "contradict" in client.get("/windows?account=acme").text


def test_a_window_shows_what_it_served(synced: Engine, client: Client, app: Penstock) -> None:
    page = client.get("/windows/1").text
    assert 'href="/syncs/people/subjects/g1"' in page
    assert 'href="/runs/1"' in page
    assert "the sync declares no window" in page, "why it ended"
    found = client.get("/api/v1/windows/1").json()
    assert [(each["id"], each["subject"], each["status"]) for each in found["window"]["runs"]] == [
        (1, "g1", "succeeded")]
    app.request_subject("people", "g1", account="acme")
    synced.dispatch()
    [job] = synced.claim()
    id = app.store.write(lambda tx: begun(tx, "people", "acme", job.id, Window(total=100, headroom=10)))
    page = client.get(f"/windows/{id}").text
    assert "at work" in page
    assert 'id="run-3"' in page, "what it serves just now"
    assert page.count('class="chart bar"') == 2, "the whole, and what was used of it"


def test_limits_show_their_use_and_gates_are_closed_and_opened(app: Penstock, client: Client) -> None:
    app.limits(Quota(10, per="day", by="crm"), Rate(5, per="second", by="mail"))
    for _ in range(9):
        with app.limit("crm"):
            pass
    page = client.get("/limits").text
    assert "9 of 10" in page
    assert 'class="f-warn"' in page
    page = client.post_form("/limits/close", {"key": "crm", "reason": f"down {HOSTILE}", "minutes": 5})
    assert "the gate of crm is closed for 5 min" in page.text
    assert app.gate("crm").state == "closed"
    page = client.get("/limits").text
    assert "Gates that are not open" in page
    assert HOSTILE not in page
    assert client.get("/api/v1/limits?find=ma").json()["gates"] == []
    client.post_form("/limits/open", {"key": "crm"})
    assert app.gate("crm").state == "open"
    assert "was open already" in client.post_form("/limits/open", {"key": "crm"}).text
    assert [each.action.partition(" ")[2] or each.action for each in app.journal()][-1].endswith("/limits/close")
    assert client.post_form("/limits/close", {"key": "crm", "reason": "x", "minutes": -1}).status_code == 409
