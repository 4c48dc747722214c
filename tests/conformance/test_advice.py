"""What was advised is kept in either store, and what became of it."""

from collections.abc import Sequence

import pytest

from penstock.advise.asking.keeping import PlansKept
from penstock.advise.shipping.following import AdviceKept, Followed, follow
from penstock.domain.advice import Advice, Candidate, Index, Key, Node, Plan, Schema, Table, Verdict
from penstock.domain.plans import plan
from penstock.domain.traces import StatementSeen
from penstock.events import Event, PlanFlipped
from penstock.events.telling import Events
from penstock.store.port import Store
from tests.clock import Clock

KEYS = (Key(column="client_id"), Key(column="id"))
CANDIDATE = Candidate(table="records", schema="public", keys=KEYS, predicate="status = 'pending'", name="new_idx",
                      why="it serves the order")
PLACE = "postgresql://db/app"
HOUR = 3_600_000


def of(index: str) -> Plan:
    return plan(Node(kind="Limit", children=(Node(kind="Index Scan", table="records", index=index),)),
                parameters="first")


@pytest.fixture
def advice(store: Store) -> AdviceKept:
    kept = AdviceKept(store)
    verdict = Verdict(decision="ship", reason="30 times quicker", candidate=CANDIDATE, before=of("records_pkey"))
    kept.keep("nightly", [Advice(fingerprint="f1", text="select 1", database=PLACE, verdicts=(verdict,))])
    return kept


class Described:
    """A database as far as following needs one: its tables."""

    dialect = "postgres"
    notes = ()

    def __init__(self, *indexes: Index) -> None:
        self._tables = (Table(name="records", schema="public", indexes=indexes),)

    def schema(self, tables: Sequence[tuple[str | None, str]]) -> Schema:
        return Schema(dialect="postgres", tables=self._tables)


def hours(before_us: int, after_us: int, shipped_at: int, count: int = 8):
    def read(fingerprint: str, database: str, since: int, until: int) -> list[StatementSeen]:
        assert (fingerprint, database) == ("f1", PLACE)
        each_us = before_us if until <= shipped_at else after_us
        return [StatementSeen(fingerprint="f1", text="", driver="psycopg", calls=90, total_us=90 * (each_us + n * 50))
                for n in range(count)]
    return read


def followed(kept: AdviceKept, described: Described, read, now: int) -> Followed:
    (found,) = follow(kept, described, PLACE, read, now)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(("before_us", "after_us", "became"), [
    (30_000, 1_000, "worked"), (30_000, 30_000, "no change"), (5_000, 30_000, "worse"),
])
def test_what_was_shipped_is_found_and_watched(advice: AdviceKept, clock: Clock, before_us: int, after_us: int,
                                               became: str):
    now = clock.now_ms
    read = hours(before_us, after_us, now)
    assert followed(advice, Described(), read, now).says == "new_idx was proposed and not shipped yet"
    # It was shipped under another name, and the database writes its predicate in its own way.
    there = Described(Index(name="theirs", keys=KEYS, predicate="(status = 'pending'::text)"))
    assert followed(advice, there, read, now).says == "theirs was shipped"
    found = followed(advice, there, read, now + 20 * HOUR)
    assert found.watched is not None
    assert found.watched.became == became
    assert [each.state for each in advice.of("nightly")] == [became]


def test_with_few_runs_nothing_is_said(advice: AdviceKept, clock: Clock):
    now = clock.now_ms
    there = Described(Index(name="new_idx", keys=KEYS, predicate="status = 'pending'"))
    read = hours(30_000, 1_000, now, count=3)
    followed(advice, there, read, now)
    found = followed(advice, there, read, now + HOUR)
    assert found.watched is not None
    assert found.watched.became == "too few"
    assert [each.state for each in advice.of()] == ["shipped"]


def test_an_invalid_index_is_not_shipped(advice: AdviceKept, clock: Clock):
    there = Described(Index(name="new_idx", keys=KEYS, predicate="status = 'pending'", valid=False))
    assert followed(advice, there, hours(1, 1, 0), clock.now_ms).index is None


def test_advice_that_is_given_again_stays_what_it_was(advice: AdviceKept, clock: Clock):
    (was,) = advice.of("nightly")
    advice.becomes(was, "worked", was.made_at)
    clock.advance(5)
    advice.keep("nightly", [Advice(fingerprint="f1", text="select 1", database=PLACE, verdicts=(
        Verdict(decision="ship", reason="again", candidate=CANDIDATE),))])
    (now,) = advice.of("nightly")
    assert (now.state, now.made_at, now.changed_at) == ("worked", was.made_at, was.changed_at)
    assert now.verdict.reason == "again"
    assert advice.of("another") == []


def test_a_plan_that_was_never_seen_is_an_event(store: Store):
    heard: list[Event] = []
    events = Events()
    events.listen(heard.append)
    kept = PlansKept(store, events)
    assert kept.keep("f1", PLACE, [of("records_client_status")]) is None
    assert kept.keep("f1", PLACE, [of("records_client_status")]) is None
    said = kept.keep("f1", PLACE, [of("records_client_status"), of("records_pkey")], [of("records_pkey").shape])
    assert said == ("the plan is another one than any before: Index Scan using records_client_status on records"
                    " became Index Scan using records_pkey on records")
    assert heard == [PlanFlipped(fingerprint="f1", database=PLACE, was=of("records_client_status").shape,
                                 now=of("records_pkey").shape)]
    assert {each.shape: (each.seen, each.flags) for each in kept.of("f1", PLACE)} == {
        of("records_client_status").shape: (3, ("first",)), of("records_pkey").shape: (1, ("first", "trap"))}
    assert kept.of("f2", PLACE) == []
