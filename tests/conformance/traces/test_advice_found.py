"""What was advised, as a page has it: from Penstock's own store, and no other database."""

from collections.abc import Iterator

import msgspec
import pytest

from penstock import Penstock
from penstock.advise.shipping.following import AdviceKept
from penstock.domain.advice import Advice, Candidate, Key, Node, Proposal, Query, Rejection, Verdict
from penstock.domain.fingerprint import fingerprint
from penstock.domain.plans import plan
from tests.clock import Clock
from tests.conformance.traces.keeping import SHOP, Traced, asked

BATCH = "select id, amount from record where client_id = %s and id > %s order by id limit 1000"
SECOND, HOUR = 1_000_000, 3600
WANTED = Candidate(table="record", keys=(Key(column="client_id"), Key(column="id")), name="record_client_id_id",
                   why="client_id is what it filters by, id its order")
OTHER = Candidate(table="record", keys=(Key(column="id"),), name="record_id", why="its order alone")


@pytest.fixture
def traced(app: Penstock) -> Iterator[Traced]:
    app.migrate()
    found = Traced(app.store)
    yield found
    found.recorder.close()


def advised(app: Penstock) -> str:
    """Keep advice on the batch; gives its id."""
    before = plan(Node(kind="Index Scan", table="record", index="record_pkey", filter="(client_id = ?)"))
    advice = Advice(
        fingerprint=fingerprint(BATCH), text=BATCH, database=SHOP, trap="looks at 900 rows for each", notes=("a note",),
        verdicts=(Verdict(decision="ship", reason="30 times quicker", candidate=WANTED, before=before, gain=30.0),
                  Verdict(decision="reject", reason="it changed nothing", candidate=OTHER, before=before)),
        proposal=Proposal(query=Query(text=BATCH, dialect="postgres"), rejections=(
            Rejection(what="(amount)", reason="it is no condition"),
            Rejection(what="(id)", reason="told by its verdict", candidate=OTHER))))
    AdviceKept(app.store).keep("nightly", [advice])
    (kept,) = app.advice_kept("nightly")
    return kept.id


def test_advice_is_kept_with_what_was_rejected_and_why(app: Penstock, traced: Traced) -> None:
    found = app.advice_found(advised(app))
    assert found is not None
    assert (found.kept.name, found.kept.state, found.kept.verdict.gain) == ("nightly", "proposed", 30.0)
    assert found.text == BATCH
    considered = found.kept.considered
    assert considered is not None
    assert [(each.reason, each.before) for each in considered.verdicts] == [("it changed nothing", None)]
    assert [each.reason for each in considered.rejections] == ["it is no condition"]
    assert (considered.trap, considered.notes) == ("looks at 900 rows for each", ("a note",))
    assert found.watched is None
    assert (found.hours, found.plans) == ([], [])
    assert "CREATE INDEX CONCURRENTLY" in found.migrations["sql"]
    assert set(found.migrations) == {"sql", "alembic", "django"}
    assert app.advice_found("nothing") is None
    assert [each.id for each in app.advice_kept()] == [found.kept.id]


def test_advice_that_was_kept_before_rejections_were_is_read(app: Penstock, traced: Traced, clock: Clock) -> None:
    id = advised(app)
    ((content,),) = clock.fetch("select content from penstock.advice")
    older = msgspec.json.encode(msgspec.json.decode(content)[:2]).decode()
    app.store.write(lambda tx: tx.execute("advice_put", {
        "id": id, "fingerprint": "f", "database": SHOP, "name": "nightly", "candidate": "x", "verdict": "ship",
        "before": None, "content": older}))
    found = app.advice_found(id)
    assert found is not None
    assert found.kept.considered is None
    assert found.kept.verdict.reason == "30 times quicker"


def test_what_was_shipped_is_watched_hour_by_hour(app: Penstock, traced: Traced, clock: Clock) -> None:
    id = advised(app)
    for hour in range(12):
        if hour == 6:
            (kept,) = app.advice_kept()
            AdviceKept(app.store).becomes(kept, "shipped", clock.now_ms)
        with traced.trace("nightly", took_us=60 * SECOND) as trace:
            asked(trace, BATCH, [(6, n) for n in range(3)], took_us=500_000 + hour * 50 if hour < 6 else 10_000 + hour,
                  rows=1000)
        traced.flush()
        clock.advance(HOUR)
    found = app.advice_found(id)
    assert found is not None
    assert [each.calls for each in found.hours] == [3] * 12
    assert found.hours[0].mean_us == pytest.approx(500_000, rel=0.01)
    assert found.hours[-1].max_us == pytest.approx(10_000, rel=0.01)
    assert found.watched is not None
    assert found.watched.became == "worked"
    assert found.watched.times == pytest.approx(50, rel=0.01)
