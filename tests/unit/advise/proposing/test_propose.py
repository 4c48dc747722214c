"""Which indexes are proposed, which first, and in which words the others are rejected."""

import pytest
from msgspec import structs

from penstock.advise.proposing.estimate import reckoning
from penstock.advise.proposing.estimate.paths import Path, Wanted, whole
from penstock.advise.proposing.naming import columns_sql, create_sql
from penstock.advise.proposing.propose import MOST, propose
from penstock.domain.advice import Index, Key, Proposal, Schema
from tests.unit.advise.tables import CLIENTS, RECORDS, SCHEMA, alone, index

CASE_Q = ("select id, amount from records where client_id = %s and status = 'pending' and id > %s"
          " order by id limit 1000")


def first(proposal: Proposal) -> str | None:
    return columns_sql(proposal.candidates[0], "postgres") if proposal.candidates else None


def reasons(proposal: Proposal) -> str:
    return "; ".join(f"{each.what}: {each.reason}" for each in proposal.rejections)


@pytest.mark.parametrize("text", [CASE_Q, CASE_Q.replace(" and id > %s", "") + " for update skip locked"])
def test_the_order_is_appended_to_the_index_that_has_the_equal_columns(text: str) -> None:
    candidate = propose(text, SCHEMA, [6, 0]).candidates[0]
    assert columns_sql(candidate, "postgres") == "(client_id, status, id)"
    assert candidate.appends == "records_client_id_status_idx"
    assert candidate.replaces == ("records_client_id_status_idx",)
    assert "id gives the order" in candidate.why


def test_an_index_that_keeps_a_promise_is_appended_to_and_not_replaced() -> None:
    schema = alone(indexes=(*RECORDS.indexes[:1], index("records_unique", "client_id", "status", unique=True)))
    candidate = propose(CASE_Q, schema, [6, 0]).candidates[0]
    assert (candidate.appends, candidate.replaces) == ("records_unique", ())


def test_equal_columns_come_the_most_selective_first() -> None:
    found = propose("select * from records where status = %s and label = %s and amount = %s order by id limit 3",
                    alone(indexes=RECORDS.indexes[:1]), ["pending", "x", 1])
    assert found.candidates[0].keys[0].column == "label"


def test_a_condition_that_few_rows_meet_becomes_the_predicate() -> None:
    found = propose("select id, payload from records where status = 'odd' order by created_at limit 50",
                    alone(indexes=RECORDS.indexes[:1]))
    assert first(found) == "(created_at) WHERE status = 'odd'"
    # A parameter may be another one the next time.
    found = propose("select id, payload from records where status = %s order by created_at limit 50",
                    alone(indexes=RECORDS.indexes[:1]), ["odd"])
    assert first(found) == "(status, created_at)"


@pytest.mark.parametrize(("order", "keys"), [
    ("created_at desc, id desc", "(client_id, created_at, id)"),
    ("created_at desc, id", "(client_id, created_at DESC, id)"),
    ("created_at desc nulls last", "(client_id, created_at DESC NULLS LAST)"),
    ("created_at nulls first, id", "(client_id, created_at NULLS FIRST, id)"),
])
def test_the_order_is_taken_as_it_is_said(order: str, keys: str) -> None:
    assert first(propose(f"select * from records where client_id = %s order by {order} limit 10", SCHEMA, [6])) == keys


def test_a_list_stands_behind_what_is_equal_and_a_range_last() -> None:
    schema = alone(indexes=RECORDS.indexes[:1])
    found = propose("select * from records where label in (%s, %s) and created_at > '2026-11-01'", schema, ["a", "b"])
    assert first(found) == "(label)"
    found = propose("select * from records where client_id = %s and created_at between '2026-10-20' and '2026-11-01'",
                    schema, [7])
    assert first(found) == "(client_id, created_at)"


def test_an_expression_is_indexed_as_it_stands() -> None:
    assert first(propose("select id from records where lower(label) = %s", SCHEMA, ["x"])) == "((lower(label)))"


def test_a_known_beginning_needs_an_operator_class_unless_texts_compare_by_their_bytes() -> None:
    text = "select id, payload from records where label like 'abc%'"
    assert first(propose(text, SCHEMA)) == "(label text_pattern_ops)"
    assert first(propose(text, alone(collation_c=True))) == "(label)"


def test_the_column_that_joins_is_indexed_where_the_other_side_is_small() -> None:
    schema = Schema(dialect="postgres", tables=(alone(indexes=RECORDS.indexes[:1]).tables[0], CLIENTS))
    found = propose("select r.* from clients c join records r on r.client_id = c.id where c.email = %s", schema, ["a"])
    assert first(found) == "(client_id)"
    assert [each.table for each in found.candidates] == ["records"]
    found = propose("select * from records r where exists (select from clients c where c.id = r.client_id"
                    " and c.email = %s) and r.label = %s", schema, ["a", "b"])
    assert first(found) == "(label)"


def test_the_least_of_a_column_is_the_first_in_its_order() -> None:
    assert first(propose("select max(created_at) from records where client_id = %s", SCHEMA, [6])) == (
        "(client_id, created_at)")


NONE = {
    "select count(*), sum(amount) from records": "all of its rows are counted",
    "select * from records": "all of its rows are asked for",
    "select * from records where id = %s": "already served by the index records_pkey",
    "select * from clients where email = %s": "too small",
    "select * from records where status = 'pending'": "49% of its rows",
    "select * from records where label like '%x'": "wildcard",
    "select * from records where label ilike 'x%'": "ignores case",
    "select * from records where created_at::date = '2026-01-01'": "time zone",
    "select * from records where amount + 1 = 5": "reckons with the column",
    "select * from records where label <> 'x'": "everything but one value",
    "select * from records where label ~ 'x'": "regular expression",
    "select * from records where client_id = 3 or label = 'x'": "OR over different columns",
    "select * from records where my_hash(label) = 'x'": "immutable",
    "update records set status = 'done' where id = any(%s)": "already served",
    "insert into records values (1)": "reads no table",
    "select * from nowhere where a = 1": "nothing is known",
    "selec 1": "could not be parsed",
    "select 'x": "could not be parsed",
}


@pytest.mark.parametrize("text", NONE)
def test_where_no_index_helps_none_is_proposed_and_the_reason_is_said(text: str) -> None:
    found = propose(text, SCHEMA, [[1, 2]] if "any" in text else [1])
    assert found.candidates == ()
    assert NONE[text] in reasons(found)


def test_an_index_that_is_there_is_not_proposed_again_and_an_invalid_one_is_not_there() -> None:
    there = alone(indexes=(*RECORDS.indexes, index("there", "client_id", "status", "id")))
    found = propose(CASE_Q, there, [6, 0])
    assert found.candidates == ()
    assert "already served by the index there" in reasons(found)
    broken = alone(indexes=(*RECORDS.indexes, index("there", "client_id", "status", "id", valid=False)))
    assert first(propose(CASE_Q, broken, [6, 0])) == "(client_id, status, id)"


def test_a_partial_index_serves_who_asks_for_what_is_in_it() -> None:
    partial = Index(name="odd", keys=(Key(column="created_at"),), predicate="(status = 'odd'::text)")
    schema = alone(indexes=(*RECORDS.indexes[:1], partial))
    found = propose("select id from records where status = 'odd' order by created_at limit 5", schema)
    assert found.candidates == ()
    assert "already served by the index odd" in reasons(found)
    assert propose("select id from records where status = 'done' and label = 'x' limit 5", schema).candidates


def test_what_is_written_far_more_than_read_gets_no_index_for_a_small_gain() -> None:
    quiet = alone(indexes=RECORDS.indexes[:1], reads=1_000_000, writes=1_000)
    busy = alone(indexes=RECORDS.indexes[:1], reads=10, writes=1_000_000)
    small, large = "select * from records where client_id = %s", "select * from records where label = %s"
    assert propose(small, quiet, [8]).candidates
    assert propose(small, busy, [8]).candidates == ()
    assert "would cost every write" in reasons(propose(small, busy, [8]))
    assert propose(large, busy, ["x"]).candidates


def test_columns_ride_along_only_where_they_are_narrow_and_never_in_the_first_proposal() -> None:
    found = [columns_sql(each, "postgres") for each in propose(CASE_Q, SCHEMA, [6, 0]).candidates]
    assert found == ["(client_id, status, id)", "(client_id, status, id) INCLUDE (amount)"]
    wide = propose(CASE_Q.replace("amount", "payload"), SCHEMA, [6, 0]).candidates
    assert not any(each.include for each in wide)


def test_views_and_foreign_tables_say_where_an_index_would_belong() -> None:
    assert "it is a view" in reasons(propose("select * from records where label = 'x'", alone(kind="view")))
    assert "its own server" in reasons(propose("select * from records where label = 'x'", alone(kind="foreign")))


def test_a_table_that_may_not_be_read_is_told_with_its_reason() -> None:
    schema = Schema(dialect="postgres", missing=(("records", "the role may not read it"),))
    assert "records: the role may not read it" in reasons(propose(CASE_Q, schema))


def test_without_statistics_the_proposal_says_that_it_is_a_guess() -> None:
    found = propose(CASE_Q, alone(rows=None, pages=None), [6, 0])
    assert first(found) == "(client_id, status, id)"
    assert "ANALYZE" in found.candidates[0].why


def test_no_more_are_proposed_than_are_worth_a_trial() -> None:
    text = ("select * from records where label = %s and amount = %s and payload = %s and created_at = %s"
            " and client_id = %s")
    found = propose(text, alone(indexes=RECORDS.indexes[:1]), ["a", 1, "b", "c", 6])
    assert 0 < len(found.candidates) <= MOST
    assert len({each.name for each in found.candidates}) == len(found.candidates)


def test_a_statement_that_changes_what_its_index_would_hold_is_told_so() -> None:
    found = propose("update records set label = 'y' where label = %s", SCHEMA, ["x"])
    assert first(found) == "(label)"
    assert "changes label" in found.candidates[0].why


def test_names_that_need_quotes_get_them() -> None:
    schema = alone(name="Order", columns=(*RECORDS.columns[:1], *(
        each for each in RECORDS.columns[1:] if each.name != "label"), RECORDS.columns[5]))
    text = 'select * from "Order" where label = %s'
    candidate = propose(text, schema, ["x"]).candidates[0]
    assert create_sql(candidate, "postgres") == 'CREATE INDEX order_label_idx ON public."Order" (label)'


def test_the_same_columns_are_called_the_same_and_never_as_something_that_is_there() -> None:
    schema = alone(indexes=(*RECORDS.indexes, index("records_label_idx", "amount")))
    name = propose("select * from records where label = %s", schema, ["x"]).candidates[0].name
    assert name != "records_label_idx"
    assert name.startswith("records_label_")
    assert propose("select * from records where label = %s", schema, ["x"]).candidates[0].name == name


def test_sqlite_has_no_include_and_its_own_placeholders() -> None:
    schema = Schema(dialect="sqlite", tables=(alone().tables[0],))
    found = propose("select id, amount from records where Client_Id = ? and label = :label", schema, [6])
    assert "INCLUDE" not in create_sql(found.candidates[0], "sqlite")
    assert found.candidates[0].keys[0].column == "label"


def test_a_text_that_was_not_kept_is_in_no_predicate() -> None:
    text = "select id, payload from records where status = '…' and client_id = %s order by created_at limit 50"
    found = propose(text, alone(indexes=RECORDS.indexes[:1]), [6])
    assert found.candidates
    assert not any("…" in (each.predicate or "") for each in found.candidates)


def chain(count: int) -> tuple[str, Schema]:
    """Tables of which each belongs to a row of the one before, by a column that nobody indexed."""
    tables = tuple(structs.replace(RECORDS, name=f"t{number}", indexes=RECORDS.indexes[:1], columns=tuple(
        structs.replace(column, distinct=1e6, common=()) if column.name == "client_id" else column
        for column in RECORDS.columns)) for number in range(count))
    joins = " ".join(f"join t{number} on t{number}.client_id = t{number - 1}.id" for number in range(1, count))
    return f"select * from t0 {joins} where t0.label = %s", Schema(dialect="postgres", tables=tables)


def test_several_indexes_may_be_worth_their_keep_only_together() -> None:
    text, schema = chain(3)
    found = propose(text, schema, ["x"]).candidates
    assert {(each.table, columns_sql(each, "postgres")) for each in found} == {
        ("t0", "(label)"), ("t1", "(client_id)"), ("t2", "(client_id)")}
    assert all("only beside" in each.why for each in found[:2])


def test_a_statement_over_many_tables_is_reckoned_once_for_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each table read in one way is looked at once for all candidates, or a dozen tables would take minutes."""
    looked: list[Wanted] = []

    def counted(wanted: Wanted) -> Path:
        looked.append(wanted)
        return whole(wanted)

    monkeypatch.setattr(reckoning, "whole", counted)
    text, schema = chain(6)
    assert propose(text, schema, ["x"]).candidates
    # Alone, and from each of two neighbours or both on; each as a whole and by itself.
    assert len(looked) <= 6 * 2 * 4
