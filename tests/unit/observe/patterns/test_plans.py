"""Patterns that need kept plans: a flip, a sort that went to disk, and rows that are wide."""

from typing import Any

import pytest

from penstock.domain.advice import Node
from penstock.domain.plans import plan
from penstock.observe.patterns import patterns
from tests.unit.observe.seen import MINUTE, planned, statement, traced, work

TEXT = "select id from record where client_id = %s order by id limit 10"
WELL = "Limit  (cost 12, about 10 rows)\n  Index Scan using record_client_status on record  (cost 11, about 10 rows)"
BADLY = "Limit  (cost 9, about 10 rows)\n  Index Scan using record_pkey on record  (cost 9)\n      filter (client = ?)"
SPILLS = "Limit  (cost 9, 10 rows)\n  Sort  (cost 9, 10 rows)\n      by created_at, id, 4,096 kB on disk"
IN_MEMORY = "Limit  (cost 9, 10 rows)\n  Sort  (cost 9, 10 rows)\n      by created_at, id"
WIDE, NARROW = (f"Seq Scan on record  (cost 9, about 50,000 rows of {width} bytes)" for width in ("2,100", "80"))
NOON = 1_700_000_000_000


def named(*parts: Any, **options: Any) -> list[str]:
    return [found.kind for found in patterns(work(*parts, **options))]


def test_a_flip_says_since_when_and_between_what() -> None:
    seen = statement(TEXT, calls=5)
    before, after = planned(seen, WELL, until=NOON - 1), planned(seen, BADLY, since=NOON, until=NOON + 1)
    (found,) = patterns(work(seen, before, after))
    assert found.kind == "plan flip"
    assert ("is planned as Index Scan using record_pkey on record since 2023-11-14 22:13, before as Index Scan using"
            " record_client_status on record: 2 min 30 s of 50 min") in found.says


def test_a_flip_by_parameters_says_for_which() -> None:
    seen = statement(TEXT, calls=5)
    first = planned(seen, WELL, until=NOON, flags=("common", "first"))
    (found,) = patterns(work(seen, first, planned(seen, BADLY, until=NOON + 1, flags=("last", "trap", "first"))))
    assert ("Index Scan using record_pkey on record (for last parameters) and as Index Scan using record_client_status"
            " on record (for common parameters), now this and now that") in found.says


def test_where_both_read_in_the_same_way_it_says_what_else_they_do() -> None:
    seen = statement(TEXT, calls=5)
    sorts = planned(seen, "Sort  (cost 9)\n  Seq Scan on record  (cost 8)", since=NOON, until=NOON)
    (found,) = patterns(work(seen, planned(seen, "Seq Scan on record  (cost 8)"), sorts))
    assert "is planned as Sort over Seq Scan on record since 2023" in found.says
    assert ", before as Seq Scan on record: 2 min" in found.says


def test_one_shape_is_no_flip_and_nor_is_another_statements_plan() -> None:
    seen, other = statement(TEXT, calls=5), statement("select 1 from record", calls=5)
    assert named(seen, planned(seen, WELL), planned(seen, WELL, since=NOON, until=NOON)) == []
    assert named(seen, planned(seen, WELL), planned(other, BADLY)) == []
    quick = statement(TEXT, calls=5, each_us=1000)
    assert named(quick, planned(quick, WELL), planned(quick, BADLY)) == []


def test_a_sort_on_disk_says_by_what() -> None:
    seen = statement(TEXT, calls=5)
    (found,) = patterns(work(seen, planned(seen, SPILLS)))
    assert found.kind == "sort spill"
    assert "writes 4,096 kB to disk for its sort by created_at, id: 2 min 30 s of 50 min, in 5 calls" in found.says
    assert named(seen, planned(seen, IN_MEMORY)) == []
    assert named(seen, planned(seen, SPILLS), planned(seen, IN_MEMORY, until=NOON)) == []


def test_every_column_of_many_wide_rows() -> None:
    seen = statement("select * from record where client_id = %s", calls=3, rows_each=50_000, each_us=MINUTE)
    (found,) = patterns(work(seen, planned(seen, WIDE), trace=traced(total_us=5 * MINUTE)))
    assert found.kind == "unused columns"
    assert "takes every column of 150,000 rows of about 2,100 bytes: 3 min of 5 min" in found.says


@pytest.mark.parametrize(("text", "rows", "kept"), [
    ("select id, name from record where client_id = %s", 50_000, WIDE),
    ("select count(*) from record where client_id = %s", 50_000, WIDE),
    ("select * from record where client_id = %s", 50_000, NARROW),
    ("select * from record where client_id = %s", 50_000, WELL),
    ("select * from record where client_id = %s", 200, WIDE),
])
def test_what_cannot_be_said_of_columns_is_not(text: str, rows: int, kept: str) -> None:
    seen = statement(text, calls=3, rows_each=rows, each_us=MINUTE)
    assert named(seen, planned(seen, kept), trace=traced(total_us=5 * MINUTE)) == []


def test_what_plans_are_kept_as_is_what_is_looked_for() -> None:
    """`penstock.domain.plans` writes the text that the rules read."""
    scan = Node(kind="Index Scan", table="record", index="record_pkey", rows=50_000, width=2100, filter="(a = ?)")
    sort = Node(kind="Sort", sort=("created_at", "id"), spilled=4096, rows=50_000, width=2100, children=(scan,))
    seen = statement("select * from record", calls=3, rows_each=50_000, each_us=MINUTE)
    old = planned(seen, plan(Node(kind="Seq Scan", table="record", rows=50_000, width=2100)).text)
    found = {each.kind: each for each in patterns(work(seen, old, planned(seen, plan(sort).text, since=1, until=1),
                                                       trace=traced(total_us=5 * MINUTE)))}
    assert found["sort spill"].evidence["spilled_kb"] == 4096
    assert "sort by created_at, id" in found["sort spill"].says
    assert found["unused columns"].evidence["row_bytes"] == 2100
    assert "is planned as Index Scan using record_pkey on record since" in found["plan flip"].says
