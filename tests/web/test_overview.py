"""The overview: what it says, what it costs, and that each of its links leads somewhere."""

import re
from datetime import timedelta
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.alerts import Firing
from penstock.domain.jobs import Outcome
from penstock.domain.limits import Quota, Rate
from penstock.queue.claim import settle
from penstock.web.pages.alerts import page_of
from penstock.web.pages.overview import VIEWS, _round_up
from penstock.worker.inline import registered
from tests.clock import Clock
from tests.engine import Engine
from tests.web.conftest import Client

MOST_A_SECOND = 10


@pytest.fixture
def engine(app: Penstock, clock: Clock) -> Engine:
    @app.task(name="work", queue="mail")
    def work() -> None: ...

    return Engine(app, clock)


def seen(client: Client) -> dict[str, Any]:
    return dict(client.get("/api/v1/").json())


def test_it_says_how_many_ended_in_each_minute_and_how_many_failed(engine: Engine, client: Client, clock: Clock):
    app = engine.app
    app.enqueue_many(app.tasks["work"].call() for _ in range(6))
    claimed = engine.claim("mail", 6)
    settle(app.store.control, [Outcome(job.id, job.lease, "completed", keep_ms=10**9) for job in claimed[:3]])
    settle(app.store.control, [Outcome(claimed[3].id, claimed[3].lease, "discarded", keep_ms=10**9,
                                       error_class="ValueError", error="boom")])
    engine.upkeep()
    clock.advance(60)
    found = seen(client)
    assert len(found["minutes"]) == 61
    totals = {state: sum(each[state] for each in found["minutes"]) for state in ("enqueued", "completed", "discarded")}
    assert totals == {"enqueued": 6, "completed": 3, "discarded": 1}
    assert found["failed_share"] == 0.25
    assert found["completed_per_minute"] == 3 / 5
    assert "25%" in client.get("/").text


def test_of_many_alerts_it_shows_the_first_and_reads_no_more_than_it_needs(app: Penstock, client: Client):
    app.store.write(lambda tx: [tx.execute("alert_raise", {"kind": "backlog", "about": f"queue q{number:03}",
                                                           "since_at": number, "summary": f"queue q{number:03} is late",
                                                           "details": "{}"}) for number in range(60)])
    assert len(app.alerts()) == 60
    assert [each.about for each in app.alerts(2)] == ["queue q000", "queue q001"]
    assert len(app.overview().alerts) == 50
    page = client.get("/").text
    assert "Queue q007 is late." in page
    assert "q008" not in page
    assert "50+ alerts in all" in page


def test_it_says_what_waits_and_for_how_long_the_oldest_first(engine: Engine, client: Client, clock: Clock):
    app = engine.app
    app.store.write(lambda tx: registered(tx, "w", 10**9, {"mail": 4}))
    app.tasks["work"].using(queue="other").enqueue()
    clock.advance(100)
    app.tasks["work"].enqueue()
    clock.advance(30)
    found = seen(client)
    assert [(each["queue"], each["age_ms"], each["slots"]) for each in found["queues"]] == [
        ("other", 130_000, None), ("mail", 30_000, 4)]
    assert (found["waiting"], found["oldest_ms"], found["executing"], found["slots"], found["workers"]) == (
        2, 130_000, 0, 4, 1)
    page = client.get("/").text
    assert page.index('id="queue-other"') < page.index('id="queue-mail"')
    assert "no worker serves it" in page


def test_what_is_claimed_ahead_is_executing_and_in_no_slot(engine: Engine, client: Client):
    app = engine.app
    app.store.write(lambda tx: registered(tx, "w", 10**9, {"mail": 4}))
    app.enqueue_many(app.tasks["work"].call() for _ in range(6))
    engine.claim("mail", 5)
    found = seen(client)
    assert (found["executing"], found["slots_used"], found["slots"]) == (5, 4, 4)
    for path in ("/", "/queues"):
        assert "4 of 4" in client.get(path).text


def test_it_says_what_is_wrong_and_each_alert_leads_to_where_it_is_seen(engine: Engine, client: Client, clock: Clock):
    app = engine.app
    app.tasks["work"].enqueue()
    app.gate("crm").close("the CRM answers 503: password=hunter2", lasting=timedelta(hours=9))
    clock.advance(8 * 3600)
    engine.upkeep()
    app.alert_watch().look()
    clock.advance(60)
    found = seen(client)
    assert {each["kind"] for each in found["wrong"]} >= {"backlog", "gate closed"}
    for each in found["wrong"]:
        assert client.get(each["page"]).status_code == 200, each
    page = client.get("/").text
    assert "What is wrong now" in page
    assert "Queue mail is behind" in page
    assert "hunter2" not in page


def test_limits_near_their_edge_are_shown_and_others_not(app: Penstock, client: Client):
    app.limits(Quota(10, per="day", by="near"), Quota(10, per="day", by="far"), Rate(10, per="second", by="slow"))
    for key, weight in (("near", 9), ("far", 2)):
        with app.limit(key, weight=weight):
            pass
    app.gate("shut").close("down for maintenance", lasting=timedelta(hours=1))
    edges = seen(client)["edges"]
    assert [(each["key"], each["gate"]) for each in edges] == [("shut", "closed"), ("near", "open")]
    assert edges[1]["share"] >= 0.8


def test_it_costs_so_many_statements_however_much_there_is(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """One load serves all browsers (see test_live.py), once in the seconds that the page says."""
    app = engine.app
    for number in range(30):
        app.tasks["work"].using(queue=f"q{number}").enqueue()
        app.gate(f"key {number}").close("down", lasting=timedelta(hours=1))
        app.store.write(lambda tx, number=number: registered(tx, f"w{number}", 10**9, {f"q{number}": 1}))
    engine.upkeep()
    asked: list[str] = []
    store = app.store
    look, read, write = store.look, store.read, store.write

    def counted_look(name: str, *rest: Any, **options: Any) -> Any:
        before = len(asked)
        found = look(name, *rest, **options)
        asked[before:] = [name]  # on one of the stores it reads, which counts as well
        return found

    class Counted:
        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def __getattr__(self, verb: str) -> Any:
            def ask(name: str, *rest: Any, **options: Any) -> Any:
                asked.append(name)
                return getattr(self._tx, verb)(name, *rest, **options)

            return ask

    monkeypatch.setattr(store, "look", counted_look)
    monkeypatch.setattr(store, "read", lambda work: read(lambda tx: work(Counted(tx))))
    monkeypatch.setattr(store, "write", lambda work: write(lambda tx: work(Counted(tx))))
    app.overview()
    (view,) = VIEWS
    assert view.live is not None
    begun_and_ended = 2 * 3  # of transactions with several statements
    assert (len(asked) + begun_and_ended) / view.live <= MOST_A_SECOND, asked


def test_every_link_of_the_overview_leads_somewhere(engine: Engine, client: Client):
    engine.app.tasks["work"].enqueue()
    page = client.get("/").text
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"]*)"', page[page.index("<main"):])}
    assert len(links) > 5
    for link in links:
        assert client.get(link).status_code == 200, link


def test_an_alert_leads_to_what_it_is_about():
    pages = {("failing", "task a b"): "/jobs?task=a+b&state=discarded", ("failing", "sync ads"): "/syncs/ads",
             ("backlog", "queue mail"): "/jobs?queue=mail&state=available", ("gate closed", "gates of crm"): "/limits",
             ("failing", "account a/b of sync ads"): "/syncs/ads/accounts/a%2Fb",
             ("deletes withheld", "account a of sync ads"): "/approvals"}
    for (kind, about), page in pages.items():
        assert page_of(Firing(kind, about, 0, None, "", {})) == page


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (494, 500), (501, 1000)])
def test_the_scale_of_the_chart_is_a_round_number(most: int, top: int):
    assert _round_up(most) == top
