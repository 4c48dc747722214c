"""What was advised on the statements of a day: as `penstock advise` keeps it, with plans, verdicts and reasons."""

import random

from bench.web.shop import KINDS, app
from bench.web.traced import DATABASE, STATEMENTS
from penstock.advise.shipping.following import AdviceKept
from penstock.domain.advice import (
    Advice,
    Candidate,
    Key,
    Measure,
    Node,
    Plan,
    Proposal,
    Query,
    Rejection,
    Verdict,
    WriteCost,
)
from penstock.domain.fingerprint import fingerprint
from penstock.domain.plans import plan

_STATES = ("proposed", "shipped", "worked", "no change")
_TABLES = ("orders", "order_lines", "orders", "prices", "audit", "customers")
_COLUMNS = ("customer_id", "status", "valid_from", "product_id", "placed_at")
_CANDIDATES, _PLANS, _REJECTED = 4, 6, 12


def advice() -> None:
    """For each statement of each task some candidates, with what became of them; plans that changed now and then."""
    drawn = random.Random(9)
    kept = AdviceKept(app.store)
    now = app.now_ms()
    for kind in KINDS:
        for place, statement in enumerate(STATEMENTS):
            kept.keep(kind.name, [_advice(drawn, kind.name, statement, _TABLES[place], number)
                                  for number in range(_CANDIDATES)])
    for number, each in enumerate(kept.of()):
        state = _STATES[number % len(_STATES)]
        if state != "proposed":
            kept.becomes(each, state, now - drawn.randrange(20 * 3_600_000), "12 ms a call instead of 480 ms")
    plans = [{"fingerprint": fingerprint(each), "database": DATABASE, "flags": '["first", "last"]',
              "shape": f"{number:016x}", "plan": _plan(drawn, _TABLES[place], index=bool(number % 2)).text}
             for place, each in enumerate(STATEMENTS) for number in range(_PLANS)]
    app.store.write(lambda tx: [tx.execute("explained_plan_put", each) for each in plans])


def _advice(drawn: random.Random, name: str, statement: str, table: str, number: int) -> Advice:
    columns = drawn.sample(_COLUMNS, 2)
    candidate = Candidate(table=table, keys=tuple(Key(column=each) for each in columns),
                          name=f"{table}_{'_'.join(columns)}_{number}_idx",
                          why="; ".join(f"{each} is compared for equality" for each in columns))
    gain = drawn.uniform(1.5, 90)
    verdict = Verdict(
        decision="ship", reason=f"{gain:,.1f} times quicker: 480 ms before, 12 ms with it", candidate=candidate,
        confidence="confirmed", by="real", before=_plan(drawn, table, index=False),
        after=_plan(drawn, table, index=True), measured_before=Measure(rounds=5, took_us=480_000, blocks=90_000),
        measured_after=Measure(rounds=5, took_us=round(480_000 / gain), blocks=400), gain=gain, size=420_000_000,
        write_cost=WriteCost(insert_us=4.2, wal_bytes=61))
    others = tuple(Verdict(decision="reject", candidate=candidate, reason=f"the planner would not use it: {column} is"
                           " the same in nearly all rows") for column in _COLUMNS)
    return Advice(
        fingerprint=fingerprint(statement), text=statement, database=DATABASE, verdicts=(verdict, *others),
        trap=f"{table}_pkey gives the rows in the order asked for, but did look at 900 for each one that it keeps",
        notes=(f"{name}: parameters were redacted; those of a row from the middle stand in",),
        proposal=Proposal(query=Query(text=statement, dialect="postgres"), rejections=tuple(
            Rejection(what=f"({column}, id)", reason="it begins as another one that is proposed")
            for column in (_COLUMNS * 3)[:_REJECTED])))


def _plan(drawn: random.Random, table: str, *, index: bool) -> Plan:
    found = Node(kind="Index Scan" if index else "Seq Scan", table=table, index=f"{table}_idx" if index else None,
                 rows=1000.0, cost=drawn.uniform(10, 90_000), condition="(customer_id = ?)" if index else None,
                 filter=None if index else "((customer_id = ?) AND (status = ?))", removed=None if index else 90_000.0,
                 took_us=480_000, blocks=90_000)
    root = Node(kind="Limit", rows=1000.0, cost=found.cost, children=(
        Node(kind="Nested Loop", rows=1000.0, cost=found.cost, children=(
            found, Node(kind="Index Scan", table="customers", index="customers_pkey", rows=1.0, cost=0.4,
                        condition="(id = ?)"))),))
    return plan(root, parameters="first", analysed=True)
