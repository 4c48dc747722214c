"""Plans as values: their shape, their text, what is redacted, and the trap."""

from typing import Any

import pytest

from penstock.domain.advice import Index, Key, Node, Schema, Table
from penstock.domain.plans import plan, read_postgres, redacted, shape, sorts, text, trap

SCHEMA = Schema(dialect="postgres", tables=(Table(name="record", rows=4_000_000, indexes=(
    Index(name="record_pkey", keys=(Key(column="id"),), primary=True),
    Index(name="record_client", keys=(Key(column="client_id"), Key(column="id"))))),))


def answer(index: str = "record_pkey", **measured: Any) -> list[dict[str, Any]]:
    """What EXPLAIN says of case study Q's statement."""
    scan = {"Node Type": "Index Scan", "Scan Direction": "Forward", "Index Name": index, "Relation Name": "record",
            "Alias": "record", "Total Cost": 640000.0, "Plan Rows": 90_000, "Plan Width": 12,
            "Index Cond": "(id > 17)", "Filter": "((client_id = 6) AND (status = 'pending'::text))", **measured}
    return [{"Plan": {"Node Type": "Limit", "Total Cost": 7282.0, "Plan Rows": 1000, "Plan Width": 12,
                      "Plans": [scan]}}]


def test_numbers_and_constants_make_no_other_shape():
    one = read_postgres(answer())
    other = read_postgres(answer(**{"Total Cost": 1.0, "Plan Rows": 3, "Filter": "(client_id = 7)"}))
    assert shape(one) == shape(other)
    assert shape(one) != shape(read_postgres(answer(index="record_client")))
    assert shape(one) != shape(read_postgres(answer(**{"Scan Direction": "Backward"})))


def test_a_hypothetical_index_has_one_shape_whatever_its_number():
    assert shape(read_postgres(answer("<13556>btree_x"))) == shape(read_postgres(answer("<13999>btree_x")))


def test_constants_are_redacted():
    root = read_postgres(answer())
    assert root.children[0].condition == "(id > ?)"
    assert root.children[0].filter == "((client_id = ?) AND (status = ?::text))"
    assert read_postgres(answer(), redact=False).children[0].condition == "(id > 17)"


@pytest.mark.parametrize(("condition", "expected"), [
    ("(name = 'it''s'::text)", "(name = ?::text)"), ("(a1 = 1.5e-3)", "(a1 = ?)"), ("(x < -5)", "(x < ?)"),
    ('("2fa" = true)', '("2fa" = true)'), ("(at >= '2026-01-01'::date)", "(at >= ?::date)"),
    ("(id = ANY ('{1,2}'::bigint[]))", "(id = ANY (?::bigint[]))"), ("(t1.c2 = $1)", "(t1.c2 = $1)"),
])
def test_what_is_a_constant(condition: str, expected: str):
    assert redacted(condition) == expected


def test_the_trap_is_told_by_statistics_where_nothing_was_measured():
    found = trap(plan(read_postgres(answer())), SCHEMA)
    assert found is not None
    assert (found.table, found.index, round(found.looked_at), found.measured) == ("record", "record_pkey", 44, False)


def test_the_trap_is_told_by_what_was_measured():
    measured = {"Actual Rows": 1000.0, "Actual Loops": 1, "Rows Removed by Filter": 3_800_000}
    found = trap(plan(read_postgres(answer(**measured))), SCHEMA)
    assert found is not None
    assert (round(found.looked_at), found.measured) == (3801, True)


def test_at_the_end_of_a_batch_statistics_say_nothing_of_what_is_left_to_look_at():
    late = {"Plan Rows": 1}
    assert trap(plan(read_postgres(answer(**late)), parameters="last"), SCHEMA) is None
    measured = {**late, "Actual Rows": 1.0, "Actual Loops": 1, "Rows Removed by Filter": 50_000}
    assert trap(plan(read_postgres(answer(**measured)), parameters="last"), SCHEMA) is not None


def test_no_trap():
    few = {"Actual Rows": 1000.0, "Actual Loops": 1, "Rows Removed by Filter": 900}
    assert trap(plan(read_postgres(answer(**few))), SCHEMA) is None, "a filter that keeps half is no trap"
    bound = {"Index Cond": "((client_id = 6) AND (id > 17))"}
    assert trap(plan(read_postgres(answer("record_client", **bound))), SCHEMA) is None, "it begins with an equality"
    assert trap(plan(read_postgres([{"Plan": answer()[0]["Plan"]["Plans"][0]}])), SCHEMA) is None, "no LIMIT ends it"
    sort = {"Node Type": "Limit", "Plans": [{"Node Type": "Sort", "Plans": answer()[0]["Plan"]["Plans"]}]}
    assert trap(plan(read_postgres([{"Plan": sort}])), SCHEMA) is None, "a sort takes all rows anyway"
    unknown = Schema(dialect="postgres", tables=(Table(name="record"),))
    assert trap(plan(read_postgres(answer())), unknown) is None, "nobody knows how many rows there are"


def test_a_plan_reads_as_lines():
    measured = {"Actual Rows": 1000.0, "Actual Loops": 1, "Rows Removed by Filter": 500, "Shared Hit Blocks": 40,
                "Shared Read Blocks": 2}
    lines = text(read_postgres(answer(**measured))).splitlines()
    assert lines[1].startswith("  Index Scan using record_pkey on record")
    assert "42 blocks" in lines[1]
    assert lines[2:] == ["      for (id > ?)",
                         "      filter ((client_id = ?) AND (status = ?::text)), which discards 500"]


def test_rules_make_several_plans_of_one():
    assert [each.kind for each in read_postgres([*answer(), *answer()]).children] == ["Limit", "Limit"]


@pytest.mark.parametrize("broken", [None, [{}], [{"Plan": 3}], "text", [{"Plan": {"no": "type"}}]])
def test_anything_else_is_no_plan(broken: Any):
    with pytest.raises(ValueError, match="expected a plan"):
        read_postgres(broken)


def test_sorts():
    assert sorts(Node(kind="Limit", children=(Node(kind="Incremental Sort"),)))
    assert sorts(Node(kind="QUERY", children=(Node(kind="USE TEMP B-TREE FOR ORDER BY"),)))
    assert not sorts(Node(kind="Limit"))
