"""Pages of advice and of alerts, by a browser on the real site."""

from collections.abc import Iterator

import pytest

from penstock import Alerts, Penstock
from penstock.advise.shipping.following import AdviceKept
from penstock.domain.advice import Advice, Candidate, Key, Verdict
from tests.clock import Clock
from tests.conformance.traces.keeping import SHOP, Traced, asked
from tests.conformance.traces.test_advice_found import BATCH, advised
from tests.web.conftest import Client
from tests.web.test_traces_pages import HOSTILE, plain

SECOND, HOUR = 1_000_000, 3600


@pytest.fixture
def traced(app: Penstock) -> Iterator[Traced]:
    found = Traced(app.store)
    yield found
    found.recorder.close()


def test_without_advice_the_page_says_how_to_get_it(client: Client, traced: Traced):
    page = client.get("/advice").text
    plain(page)
    assert "No advice yet" in page
    assert "app.database(" in page
    with traced.trace("nightly", kind="task", took_us=50 * SECOND) as trace:
        asked(trace, BATCH, [(6, n) for n in range(3)], took_us=500_000, rows=1000)
    traced.flush()
    page = client.get("/advice").text
    assert "Slow statements without advice" in page
    assert page.count("penstock advise nightly") == 2
    assert client.get("/advice/nothing").status_code == 404


def test_advice_is_shown_with_plans_rejections_and_the_migration(app: Penstock, client: Client, traced: Traced):
    id = advised(app)
    page = client.get("/advice").text
    assert f"/advice/{id}" in page
    assert "record_client_id_id" in page
    assert f"/advice/{id}" not in client.get("/advice?name=another").text
    page = client.get(f"/advice/{id}").text
    plain(page)
    for says in ("record (client_id, id)", "30 times quicker", "Index Scan using record_pkey", "It changed nothing",
                 "It is no condition", "CREATE INDEX CONCURRENTLY", "op.execute", "looks at 900 rows for each",
                 "The statement has not come since", BATCH.replace(">", "&gt;")):
        assert says in page, says
    found = client.get(f"/api/v1/advice/{id}").json()
    assert [each["decision"] for each in found["rejected"]] == ["reject", "not tried"]
    assert set(found["migrations"]) == {"sql", "alembic", "django"}


def test_a_database_is_shown_by_the_name_that_the_app_gave_it(app: Penstock, client: Client, traced: Traced):
    id = advised(app)
    assert SHOP in client.get(f"/advice/{id}").text
    app.database("the shop", SHOP)
    page = client.get(f"/advice/{id}").text
    assert "the shop" in page
    assert SHOP not in page


def test_what_was_shipped_is_watched(app: Penstock, client: Client, traced: Traced, clock: Clock):
    id = advised(app)
    for hour in range(12):
        if hour == 6:
            (kept,) = app.advice_kept()
            AdviceKept(app.store).becomes(kept, "shipped", clock.now_ms)
        with traced.trace("nightly", kind="task", took_us=60 * SECOND) as trace:
            asked(trace, BATCH, [(6, n) for n in range(3)], took_us=500_000 + hour * 50 if hour < 6 else 10_000 + hour,
                  rows=1000)
        traced.flush()
        clock.advance(HOUR)
    page = client.get(f"/advice/{id}").text
    assert "It worked: 500.1 ms a call before" in page
    assert page.count('class="f-run"') == 7  # six columns, and what they mean
    found = client.get(f"/api/v1/advice/{id}").json()["stretches"]
    assert [each["since_there"] for each in found] == [False] * 6 + [True] * 18
    assert [each["calls"] for each in found[:13]] == [3] * 12 + [0]


def test_hostile_advice_is_text(app: Penstock, client: Client):
    candidate = Candidate(table=HOSTILE, keys=(Key(column=HOSTILE),), name=HOSTILE, why=HOSTILE)
    AdviceKept(app.store).keep(HOSTILE, [Advice(
        fingerprint="f", text=HOSTILE, database=SHOP, trap=HOSTILE, notes=(HOSTILE,),
        verdicts=(Verdict(decision="ship", reason=HOSTILE, candidate=candidate, harmed=(HOSTILE,)),))])
    (kept,) = app.advice_kept()
    for path in ("/advice", f"/advice/{kept.id}"):
        page = client.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        plain(page.text)


def test_alerts_say_what_they_mean_and_what_fires(app: Penstock, client: Client, clock: Clock):
    app.alert_when(Alerts(gate_closed=None, failing_runs=3))
    page = client.get("/alerts").text
    plain(page)
    assert "Nothing is wrong" in page
    assert "3 runs in a row, 10 discarded jobs" in page
    assert "switched off" in page
    found = {"kind": "failing", "about": f"task {HOSTILE}", "since_at": clock.now_ms - 2_520_000,
             "summary": f"task mail fails: password=hunter2 {HOSTILE}", "details": '{"task": "mail", "token": "abc"}'}
    news = {**found, "state": "firing", "changed_at": clock.now_ms}
    app.store.write(lambda tx: tx.execute("alert_raise", found))
    app.store.write(lambda tx: tx.row("alert_news_add", news))
    page = client.get("/alerts").text
    plain(page)
    assert '<span class="span">42 min</span>' in page
    assert "/jobs?task=mail&amp;state=discarded" in page
    assert "hunter2" not in page
    told = client.get("/api/v1/alerts").json()
    assert told["firing"][0]["details"] == {"task": "mail", "token": "••••"}
    assert [each["state"] for each in told["changes"]] == ["firing"]
