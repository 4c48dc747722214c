"""Patterns of statements: what is one, with its evidence in the sentence, and what looks like one and is none."""

from typing import Any

import pytest

from penstock.domain.traces import CallSite
from penstock.observe.patterns import patterns
from penstock.observe.patterns.evidence import short
from penstock.observe.summary import worst
from penstock.observe.trace import OTHERS
from tests.unit.observe.seen import MINUTE, SECOND, called, planned, statement, traced, work

AUTHOR = "select name from author where id = %s"
BATCH = "select id, amount from record where client_id = %s and status = 'pending' and id > %s order by id limit 1000"
DRAIN = "select id from record where client_id = %s and status = 'pending' order by id limit 1000"
PAGE = "select id from record order by id limit 100 offset %s"
GROWING = [(9, 9 * tenth * 100_000) for tenth in range(1, 11)]
LEVEL = [(9, 9 * 300_000)] * 10


def named(*parts: Any, **options: Any) -> list[str]:
    return [found.kind for found in patterns(work(*parts, **options))]


def many(text: str = AUTHOR, **more: Any) -> Any:
    return statement(text, **{"calls": 500, "each_us": 2000, "rows_each": 1, "monotone": True, **more})


SHORT = traced(total_us=2 * SECOND)


def test_n_plus_one_says_how_often_where_and_what_of_the_time() -> None:
    (found,) = patterns(work(many(), trace=SHORT))
    assert found.kind == "n+1"
    assert found.says == ("500 calls, each at most one row, 2 ms each: 1 s of 2 s, by `select name from author where"
                          " id = %s` at shop/nightly.py:27 in calculate")
    assert "= ANY" in found.faster
    assert (found.took_us, found.share, found.evidence["calls"]) == (SECOND, 0.5, 500)


def test_of_several_traces_it_says_what_each_of_them_did() -> None:
    (found,) = patterns(work(many(traces=5), trace=traced(traces=5, total_us=2 * SECOND)))
    assert found.says.startswith("100 calls in each of 5 traces, each at most one row")


@pytest.mark.parametrize("changed", [
    {"calls": 9},                                                             # a handful
    {"calls": 100, "traces": 50, "most_calls": 60},                           # one long trace among many
    {"rows_each": 3},                                                         # it gives several rows
    {"each_us": 20},                                                          # it takes no time
    {"text": "select name from author where id > %s order by id limit 1"},    # a cursor
    {"text": "select name from author"},                                      # no look-up
    {"text": "select name from author where id <> %s"},
    {"text": "update author set seen = true where id = %s"},                  # no question
    {"sites": []},
    {"sites": [CallSite("a.py", n, "f", 100) for n in range(5)]},             # five places in the code
])
def test_what_is_no_n_plus_one(changed: dict[str, Any]) -> None:
    assert "n+1" not in named(many(**{"text": AUTHOR, **changed}), trace=SHORT)


def test_slow_batches_say_how_many_how_large_and_how_slow() -> None:
    (found,) = patterns(work(statement(BATCH, monotone=True)))
    assert found.kind == "slow batches"
    assert found.says.startswith("90 calls, each 1,000 rows, 30 s each: 45 min of 50 min, by `select id, amount from")
    assert found.says.endswith("at shop/nightly.py:27 in calculate")
    assert found.faster == "an index on what it filters by and then on its order"


def test_a_plan_that_is_a_trap_is_told_with_the_batches() -> None:
    seen = statement(BATCH, monotone=True)
    plan = planned(seen, "Index Scan using record_pkey on record  (cost 9)", flags=("first", "trap"))
    (found,) = patterns(work(seen, plan))
    assert found.says.endswith("in calculate; Index Scan using record_pkey on record gives the order, and its filter"
                               " discards most of what it reads")


def test_batches_that_grow_with_their_position_are_named_even_if_each_is_quick() -> None:
    slow = statement(BATCH, monotone=True, each_us=5000, by_position=[(9, 9 * n * 1000) for n in range(1, 11)])
    (found,) = patterns(work(slow, trace=traced(total_us=SECOND)))
    assert "from 2 ms at the beginning to 9 ms at the end" in found.says
    assert found.evidence["growth"] == 4.5
    level = statement(BATCH, monotone=True, each_us=5000, by_position=[(9, 9 * 5000)] * 10)
    assert named(level, trace=traced(total_us=SECOND)) == []


def test_a_drain_is_told_by_its_parameters_which_stay_the_same() -> None:
    (found,) = patterns(work(statement(DRAIN, asked=[(6,), (6,), (6,)], monotone=False)))
    assert found.kind == "slow batches"
    assert "or a cursor" in found.faster
    assert named(statement(DRAIN, asked=[(6,), (7,), (8,)], monotone=False)) == []  # the first of each client
    unknown = statement(DRAIN, asked=[("pending",), ("settled",)], monotone=False)  # whose values were not kept
    assert named(unknown) == []
    assert named(statement("select id from job order by id limit 10", asked=[(), ()])) == ["slow batches"]


@pytest.mark.parametrize("changed", [
    {"calls": 9},
    {"each_us": 3000},                                      # 3 ms for a thousand rows
    {"rows_each": 10_000, "each_us": 90_000},               # its rows explain it
    {"calls": 10, "each_us": 20 * SECOND},                  # a fifteenth of the time
    {"text": BATCH.replace(" limit 1000", "")},
    {"text": BATCH.replace("id >", "id =")},
    {"monotone": False},
])
def test_what_are_no_slow_batches(changed: dict[str, Any]) -> None:
    assert "slow batches" not in named(statement(**{"text": BATCH, "monotone": True, **changed}))


def test_offset_paging_is_told_by_ever_slower_pages() -> None:
    (found,) = patterns(work(statement(PAGE, rows_each=100, each_us=550_000, by_position=GROWING, monotone=True),
                             trace=traced(total_us=MINUTE)))
    assert found.kind == "offset paging"
    assert "from 200 ms at the beginning to 900 ms at the end: 50 s of 1 min" in found.says
    assert "key > <the last one given>" in found.faster
    assert named(statement("select id from record limit 100, 100", by_position=GROWING)) == ["offset paging"]


@pytest.mark.parametrize("changed", [
    {"calls": 4},
    {"each_us": 400, "by_position": LEVEL, "calls": 1_000_000},
    {"each_us": 1_000_000, "calls": 100},                  # a thirtieth of the time
    {"text": 'select "offset" from record where id = %s'},
])
def test_what_is_no_offset_paging(changed: dict[str, Any]) -> None:
    assert "offset paging" not in named(statement(**{"text": PAGE, **changed}))


def test_a_wait_for_locks_says_by_which_statement() -> None:
    update = statement("update account set n = n + 1 where id = %s", calls=30, each_us=SECOND, locked_us=25 * SECOND)
    (found,) = patterns(work(update, trace=traced(total_us=MINUTE)))
    assert (found.kind, found.took_us) == ("lock wait", 25 * SECOND)
    assert "waited for locks of other sessions: 25 s of 1 min" in found.says
    assert named(statement(update.text, calls=30, each_us=SECOND, locked_us=2 * SECOND),
                 trace=traced(total_us=MINUTE)) == []
    assert named(statement(update.text, calls=30, each_us=SECOND, locked_us=90_000),
                 trace=traced(total_us=SECOND)) == []


def test_a_wait_for_permits_is_of_the_whole_trace() -> None:
    (found,) = patterns(work(trace=traced(traces=2, total_us=MINUTE, phases={"limited": 20 * SECOND})))
    assert found.says == "it waited for permits: 20 s of 1 min, 10 s a trace"
    assert named(trace=traced(total_us=MINUTE, phases={"limited": 5 * SECOND})) == []
    assert named(trace=traced(total_us=SECOND, phases={"limited": 900_000})) == []


def test_what_takes_the_most_time_comes_first() -> None:
    assert named(many(each_us=200_000), statement(BATCH, monotone=True)) == ["slow batches", "n+1"]


def test_of_what_is_told_as_one_nothing_is_said() -> None:
    rest = statement(OTHERS, calls=5000, each_us=500_000, rows_each=1, locked_us=40 * MINUTE)
    routes = called("*", method="*", calls=5000, each_us=500_000)
    routes.host = "*"
    assert named(rest, routes) == []
    assert worst(work(rest)) is None


def test_of_a_long_statement_the_beginning_and_the_end_are_told() -> None:
    told = short("select a,\n  b" + ", c" * 200 + "\nfrom d order by e limit 5")
    assert len(told) <= 110
    assert told.startswith("select a, b, c")
    assert told.endswith("from d order by e limit 5")
