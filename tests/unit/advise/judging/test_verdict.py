"""What is decided from what a trial found, each time with its reason."""

from typing import Any

import pytest

from penstock.advise.judging.verdict import decide
from penstock.advise.trial.contract import Seen, Tried, Work
from penstock.domain.advice import Candidate, Key, Measure, Node, Plan, Schema, Table
from penstock.domain.plans import plan

SCHEMA = Schema(dialect="postgres", tables=(Table(name="record", rows=4_000_000),))
CANDIDATE = Candidate(table="record", keys=(Key(column="client_id"),), name="new_idx", why="")
WORK = Work(fingerprint="f1", name="select …", calls=(), weight_us=1_000_000)


def scan(cost: float, *, index: str = "new_idx", filtered: bool = False, sort: bool = False) -> Plan:
    node = Node(kind="Index Scan", table="record", index=index, rows=90_000, cost=cost,
                filter="(status = ?)" if filtered else None)
    below = Node(kind="Sort", cost=cost, children=(node,)) if sort else node
    return plan(Node(kind="Limit", cost=cost, children=(below,)))


def likely(before: Plan, after: Plan, *, used: bool = True, **given: Any) -> Tried:
    return Tried(by="hypopg", confidence="likely", seen=Seen(work=WORK, before=(before,), after=(after,)), used=used,
                 **given)


def confirmed(before: tuple[int, int], after: tuple[int, int], *, used: bool = True, **given: Any) -> Tried:
    """`before` and `after` are microseconds and blocks, for a thousand rows."""
    sides = [Measure(rounds=3, took_us=took, blocks=blocks, rows=1000) for took, blocks in (before, after)]
    return Tried(by="real", confidence="confirmed", used=used, seen=Seen(
        work=WORK, before=(scan(9),), after=(scan(8),), measured_before=sides[0], measured_after=sides[1]), **given)


def sibling(before: tuple[int, int], after: tuple[int, int], weight_us: int) -> Seen:
    sides = [Measure(rounds=3, took_us=took, blocks=blocks, rows=1) for took, blocks in (before, after)]
    return Seen(work=Work(fingerprint="f2", name="select count(*)", calls=(), weight_us=weight_us), before=(),
                after=(), measured_before=sides[0], measured_after=sides[1])


@pytest.mark.parametrize(("tried", "decision", "reason"), [
    (likely(scan(7282, index="pkey", filtered=True), scan(6200)), "ship", "the trap is gone"),
    (likely(scan(100, sort=True), scan(90)), "ship", "nothing is sorted"),
    (likely(scan(100), scan(40)), "ship", "2.5 times less cost"),
    (likely(scan(100), scan(90)), "reject", "discards, sorts and reads as before"),
    (likely(scan(100), scan(70)), "inconclusive", "discards, sorts and reads as before"),
    (likely(scan(100), scan(1), used=False), "reject", "the planner would not use it"),
    (likely(scan(100), scan(90, sort=True)), "reject", "as before"),
    (likely(scan(100, sort=True), scan(150)), "reject", ""),
    (confirmed((30_000, 170_000), (260, 1_000)), "ship", "115.4 times quicker"),
    (confirmed((1000, 1000), (950, 990)), "reject", "no quicker"),
    (confirmed((1000, 1000), (1900, 2000)), "reject", "slower"),
    (confirmed((1000, 1000), (1, 1), used=False), "reject", "the planner does not use it"),
    (confirmed((1000, 1000), (500, 4000)), "inconclusive", "it reads more blocks"),
    (confirmed((1000, 1000), (990, 100)), "ship", "0.1 blocks per row with it"),
    (Tried(by="hypopg", confidence="likely", fault="the disk is full"), "inconclusive", "the disk is full"),
])
def test_a_verdict_has_its_reason(tried: Tried, decision: str, reason: str):
    verdict = decide(CANDIDATE, tried, SCHEMA)
    assert (verdict.decision, verdict.candidate) == (decision, CANDIDATE)
    assert reason in verdict.reason
    assert verdict.reason


def test_the_explained_database_may_show_a_trap_that_a_small_copy_does_not():
    real = scan(7282, index="pkey", filtered=True)
    tried = likely(scan(300, index="other"), scan(200))
    assert tried.seen is not None
    seen = Seen(work=Work(fingerprint="f1", name="", calls=(), plans=(real,)), before=tried.seen.before,
                after=tried.seen.after)
    verdict = decide(CANDIDATE, Tried(by="scratch", confidence="likely", seen=seen, used=True), SCHEMA)
    assert verdict.decision == "ship"


def test_others_that_lose_more_than_is_won_make_a_rejection():
    harmed = sibling((1_000, 10), (50_000, 9_000), weight_us=60_000_000)
    verdict = decide(CANDIDATE, confirmed((30_000, 170_000), (260, 1_000), siblings=(harmed,)), SCHEMA)
    assert verdict.decision == "reject"
    assert verdict.harmed == ("select count(*) takes 50.0 times as long",)
    seldom = sibling((1_000, 10), (50_000, 9_000), weight_us=1_000)
    verdict = decide(CANDIDATE, confirmed((30_000, 170_000), (260, 1_000), siblings=(seldom,)), SCHEMA)
    assert verdict.decision == "ship"
    assert "slower with it: select count(*)" in verdict.reason


def test_a_sibling_that_only_scatters_is_not_harmed():
    scatters = sibling((100, 10), (130, 10), weight_us=60_000_000)
    verdict = decide(CANDIDATE, confirmed((30_000, 170_000), (260, 1_000), siblings=(scatters,)), SCHEMA)
    assert (verdict.decision, verdict.harmed) == ("ship", ())


def test_a_statement_that_was_broken_off_is_told_by_time_alone():
    sides = [Measure(rounds=3, took_us=60_000_000), Measure(rounds=3, took_us=900, blocks=40, rows=10)]
    tried = Tried(by="real", confidence="confirmed", used=True, seen=Seen(
        work=WORK, before=(scan(9),), after=(scan(8),), measured_before=sides[0], measured_after=sides[1]))
    assert decide(CANDIDATE, tried, SCHEMA).decision == "ship"
