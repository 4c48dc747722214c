"""What statements come to: the roles of columns, whose they are, and in words why something serves nothing."""

import pytest

from penstock.advise.parsing.parse import parse
from penstock.domain.advice import Block, Query
from tests.unit.advise.tables import SCHEMA


def block(text: str, place: int = 0, parameters: object = None) -> Block:
    query = parse(text, "postgres", SCHEMA, parameters)
    assert query.fault is None
    return query.blocks[place]


def roles(found: Block) -> list[tuple[str, str | None]]:
    return [(each.kind, each.column or each.expression) for each in found.conditions]


@pytest.mark.parametrize(("condition", "kind", "column"), [
    ("client_id = %s", "equal", "client_id"), ("%s = client_id", "equal", "client_id"),
    ("client_id = %s::int", "equal", "client_id"), ("client_id in (%s, 2)", "in", "client_id"),
    ("client_id in %s", "in", "client_id"), ("client_id = any(%s)", "in", "client_id"),
    ("client_id in (5)", "equal", "client_id"), ("(client_id = 1 or client_id in (2, 3))", "in", "client_id"),
    ("status is null", "null", "status"), ("status is not null", "not_null", "status"),
    ("not (status is null)", "not_null", "status"), ("not status is not null", "null", "status"),
    ("status is not true", "other", "status"), ("status is true", "equal", "status"),
    ("amount > %s", "range", "amount"),
    ("(created_at, id) > (%s, %s)", "range", "created_at"), ("label like 'ab%%'", "prefix", "label"),
    ("label like '%%b'", "other", "label"), ("label not like 'b%%'", "other", "label"),
    ("not (label like 'b%%')", "other", "label"), ("client_id not in (1, 2)", "other", "client_id"),
    ("label like %s", "other", "label"), ("status <> 'x'", "other", "status"),
    ("status is distinct from 'x'", "other", "status"), ("not (status = 'x')", "other", "status"),
    ("lower(label) = %s", "equal", "lower(label)"), ("amount + 0 = 3", "other", "amount"),
    ("created_at::date = %s", "other", "created_at"), ("amount = client_id", "other", None),
])
def test_the_role_of_a_column_is_that_of_its_condition(condition: str, kind: str, column: str | None) -> None:
    found = block(f"select id from records where {condition}").conditions
    assert (found[0].kind, found[0].column or found[0].expression) == (kind, column)
    assert (found[0].reason is not None) == (kind == "other")


def test_what_holds_a_value_tells_constant_parameter_and_number() -> None:
    found = block("select 1 from records where status = 'pending' and client_id = %s and id = any(%s)"
                  " and created_at > now() - interval '2 days'", parameters=[6, [1, 2, 3]]).conditions
    assert [(each.constant, each.parameter, each.values, each.ago) for each in found] == [
        ("pending", None, None, None), ("6", 1, None, None), (None, 2, 3, None), (None, None, None, 172_800.0)]


def test_the_beginning_of_a_pattern_is_known_where_its_parameter_was_kept() -> None:
    text = "select id from records where label like %s"
    assert block(text, parameters=["ab%c"]).conditions[0].constant == "ab"
    assert "was not kept" in (block(text).conditions[0].reason or "")


def test_between_is_two_ranges() -> None:
    found = block("select id from records where amount between 1 and 5").conditions
    assert [(each.kind, each.above, each.constant) for each in found] == [("range", True, "1"), ("range", False, "5")]


def test_columns_belong_to_the_table_that_has_them() -> None:
    found = block("select email from records r join clients c on client_id = c.id where email = %s and label = %s")
    assert [(each.alias, each.column, each.other) for each in found.conditions] == [
        ("r", "client_id", ("c", "id")), ("c", "id", ("r", "client_id")), ("c", "email", None), ("r", "label", None)]
    # Without the tables nobody knows whose a bare name is.
    unknown = parse("select 1 from a join b on a.id = b.id where x = 1", "postgres").blocks[0]
    assert all(each.other for each in unknown.conditions)


def test_a_join_by_using_is_one_by_equality() -> None:
    found = block("select 1 from records a join records b using (id)")
    assert [(each.alias, each.other) for each in found.conditions] == [("a", ("b", "id")), ("b", ("a", "id"))]


@pytest.mark.parametrize(("condition", "join"), [
    ("exists (select 1 from clients where clients.id = client_id and email = 'x')", "semi"),
    ("client_id in (select id from clients where email = 'x')", "semi"),
    ("not exists (select 1 from clients where clients.id = client_id and email = 'x')", "anti"),
])
def test_exists_and_in_are_joins_by_another_name(condition: str, join: str) -> None:
    query = parse(f"select 1 from records where {condition}", "postgres", SCHEMA)
    assert len(query.blocks) == 1
    assert [each.join for each in query.blocks[0].sources] == ["inner", join]
    assert {("clients", "email"), ("clients", "id"), ("records", "client_id")} <= {
        (each.alias, each.column) for each in query.blocks[0].conditions}


def test_an_outer_join_says_whether_the_other_side_has_to_be_there() -> None:
    text = "select 1 from clients c left join records r on r.client_id = c.id {}"
    for where, join in (("", "left"), ("where r.id is null", "anti"), ("where r.amount > 3", "inner")):
        assert block(text.format(where)).sources[1].join == join


def test_a_subquery_that_names_what_is_around_it_is_done_for_each_row() -> None:
    query = parse("select id, (select count(*) from records r where r.client_id = c.id) from clients c", "postgres",
                  SCHEMA)
    assert [each.parent for each in query.blocks] == [None, 0]
    assert query.blocks[1].conditions[0].correlated
    query = parse("select id from clients where id = (select max(client_id) from records)", "postgres", SCHEMA)
    assert [each.parent for each in query.blocks] == [None, None]


def test_each_part_of_a_statement_is_a_block() -> None:
    query = parse("with a as (select id from records where status = 'x' order by id limit 3)"
                  " select email from clients where id = 1 union select label from records, a where records.id = a.id",
                  "postgres", SCHEMA)
    assert sorted(each.place for each in query.blocks) == ["union", "union", "with a"]
    assert set(query.tables) == {(None, "records"), (None, "clients")}


@pytest.mark.parametrize("text", [
    "select * from (select id, client_id as client from records where status = 'x') r where client = 3",
    "select r.id from (select * from public.records where status = 'x') as r where r.client_id = 3",
    "with r as (select * from records where status = 'x'), q as (select id, client_id as c from r) select * from q"
    " where q.c = 3",
])
def test_a_plain_subquery_is_read_through(text: str) -> None:
    query = parse(text, "postgres", SCHEMA)
    assert len(query.blocks) == 1
    assert roles(query.blocks[0]) == [("equal", "status"), ("equal", "client_id")]


@pytest.mark.parametrize("text", [
    "select * from (select id, client_id from records order by id limit 3) r where client_id = 3",
    "with r as materialized (select * from records) select * from r where client_id = 3",
    "select * from (select client_id, count(*) as n from records group by 1) r where n = 3",
    "select * from (select id, row_number() over (order by id) as n from records) r where n = 3",
    "with r as (select * from records) select * from r join r as q on r.id = q.id where q.client_id = 3",
])
def test_what_is_more_than_that_stays_a_block_by_itself(text: str) -> None:
    query = parse(text, "postgres", SCHEMA)
    assert len(query.blocks) == 2
    assert any(each.derived for each in query.blocks)


def test_order_limit_and_what_is_needed() -> None:
    found = block("select r.label as name, amount from records r where id > 1 order by name desc nulls last, 2"
                  " limit 10 offset %s", parameters=[20])
    assert [(term.column, term.descending, term.nulls_first) for term in found.order] == [
        ("label", True, False), ("amount", False, None)]
    assert (found.limit, found.offset) == (10, 20)
    assert {column for _, column in found.projected} == {"label", "amount", "id"}
    assert block("select * from records fetch first 5 rows only").limit == 5
    assert block("select r.* from records r join clients c on true limit all").star == ("r",)


@pytest.mark.parametrize(("text", "kind", "writes", "assigned"), [
    ("update records set status = 'x', amount = amount + 1 where id = 3", "update", "records", ("status", "amount")),
    ("delete from records using clients where client_id = clients.id", "delete", "records", ()),
    ("insert into records select * from records where id = 3", "insert", "records", ()),
])
def test_what_changes_data_says_what(text: str, kind: str, writes: str, assigned: tuple[str, ...]) -> None:
    query: Query = parse(text, "postgres", SCHEMA)
    assert (query.kind, query.writes, query.assigned) == (kind, writes, assigned)
    assert query.blocks[0].conditions


@pytest.mark.parametrize("text", [
    'SELECT "records"."id" FROM "records" WHERE ("records"."client_id" = %s AND "records"."status" = %s)'
    ' ORDER BY "records"."id" ASC LIMIT 21',
    "SELECT records.id AS records_id FROM records WHERE records.client_id = %(client_id_1)s AND records.status ="
    " %(status_1)s ORDER BY records_id LIMIT %(param_1)s",
    'SELECT * FROM public."records" AS "t0" WHERE "t0".client_id = $1 AND status = $2 ORDER BY id LIMIT $3',
])
def test_statements_as_object_mappers_write_them(text: str) -> None:
    found = block(text)
    assert roles(found) == [("equal", "client_id"), ("equal", "status")]
    assert [term.column for term in found.order] == ["id"]
    assert found.limit is not None


@pytest.mark.parametrize(("text", "fault"), [
    ("", "nothing"), ("vacuum", "VACUUM"), ("select 1; select 2", "got 2"), ("select 'x", "no end"),
    ("select (((", "missing for Paren"), ("select " + "(" * 3000 + "1" + ")" * 3000, "nested too deeply"),
    ("select '" + "x" * 200_000 + "'", "characters"), ("\0", "no query"), ("select * frm", ""),
])
def test_what_does_not_parse_is_told_and_never_raised(text: str, fault: str) -> None:
    query = parse(text, "postgres", SCHEMA)
    assert query.blocks == () or fault == ""
    assert fault in (query.fault or "")


def test_sqlite_knows_no_case() -> None:
    from penstock.domain.advice import Schema

    schema = Schema(dialect="sqlite", tables=SCHEMA.tables)
    found = parse("select ID from Records where [Client_Id] = ?1 and `Label` glob 'a*' and label like 'a%'", "sqlite",
                  schema).blocks[0]
    assert [(each.kind, each.column) for each in found.conditions] == [
        ("equal", "client_id"), ("prefix", "label"), ("other", "label")]


def test_literals_that_were_not_kept_are_no_constants() -> None:
    found = parse("select id from records where label = '…' and status = 'done' and payload like '…' limit 5",
                  "postgres", SCHEMA)
    assert found.hidden == "texts"
    assert [(each.kind, each.constant) for each in found.blocks[0].conditions] == [
        ("equal", None), ("equal", "done"), ("other", None)]
    assert found.blocks[0].limit == 5
    nothing = parse("select id from records where label = '…' and amount = 0 limit 0", "postgres", SCHEMA)
    assert nothing.hidden == "all"
    assert [each.constant for each in nothing.blocks[0].conditions] == [None, None]
    assert nothing.blocks[0].limit == "?"
    assert parse("select id from records where amount = 0 and client_id = 4", "postgres", SCHEMA).hidden == "none"


@pytest.mark.parametrize("text", [
    "delete records where id = 1", "select * from other..records", "select * from a.b.c where d = 1",
    "-- first\ncreate index i on records (id)", "/* ; */ vacuum", "update set a = 1", "insert into values (1)",
    "select $$", "select * from records where id = = 3", ") select 1", "select 1 from records limit 'x'",
])
def test_statements_of_other_databases_and_broken_ones_do_no_harm(text: str) -> None:
    from penstock.advise.parsing.safety import safety
    from penstock.advise.proposing.propose import propose
    from penstock.advise.proposing.rewrites import rewrites

    for dialect in ("postgres", "sqlite"):
        from penstock.domain.advice import Schema
        schema = Schema(dialect=dialect, tables=SCHEMA.tables)
        proposal = propose(text, schema)
        assert proposal.rejections
        assert rewrites(proposal.query, schema) == []
        assert not safety(text, dialect).analyse or proposal.query.fault is None
