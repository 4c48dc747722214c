"""Statements said in other words: what is written down gives the same rows, on the databases themselves."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from penstock.advise.parsing.parse import parse
from penstock.advise.proposing.rewrites import rewrites
from penstock.domain.advice import Dialect, Rewrite, Schema
from penstock.domain.traces import StatementSeen
from tests.unit.advise.tables import SCHEMA, alone

CASE_Q = ("select id, amount from records where client_id = %s and status = 'pending' and id > %s"
          " order by id limit 4")
_TABLE = """
create table records (id integer primary key, client_id integer not null, status text not null, created_at timestamp,
    amount integer not null, label text not null, payload text)
"""


def seen(**changes: Any) -> StatementSeen:
    return StatementSeen(fingerprint="f", text="", driver="psycopg", **changes)


MANY = seen(calls=90, rows=360, most_calls=90, traces=1)


def said(text: str, statement: StatementSeen | None = None, schema: Schema = SCHEMA) -> dict[str, Rewrite]:
    return {each.kind: each for each in rewrites(parse(text, schema.dialect, schema), schema, statement)}


def rows() -> Iterator[tuple[Any, ...]]:
    for number in range(1, 101):
        day = f"2026-01-{1 + number % 28:02} 0{number % 9}:00:00"
        yield (number, number % 3, "pending" if number % 2 else "done", day, number * 7 % 50, f"l{number % 5}%", "p")


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> Iterator["psycopg.Connection[Any]"]:
    from tests.databases import database

    with database(postgres_server, None) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE)
        connection.cursor().executemany("insert into records values (%s, %s, %s, %s, %s, %s, %s)", list(rows()))
        yield connection


def test_keys_first_and_then_the_rows_by_them_are_the_same_rows(postgres: "psycopg.Connection[Any]") -> None:
    found = said(CASE_Q, MANY)["ids_first"]
    assert found.once is not None
    assert found.after is not None
    assert (found.once_takes, found.takes) == ((1,), (0,))
    keys = [key for key, in postgres.execute(found.once, [1])]
    batches = [postgres.execute(found.after, [keys[begin:begin + 4]]).fetchall() for begin in range(0, len(keys), 4)]
    last, expected = 0, []
    while batch := postgres.execute(CASE_Q, [1, last]).fetchall():
        expected.append(batch)
        last = batch[-1][0]
    assert batches == expected
    assert len(expected) > 3


def test_an_order_that_no_index_gives_is_the_same_order(postgres: "psycopg.Connection[Any]") -> None:
    found = said(CASE_Q, MANY)["force_index"]
    assert found.same_parameters
    assert found.after is not None
    assert "ORDER BY id + 0" in found.after
    assert postgres.execute(found.after, [1, 20]).fetchall() == postgres.execute(CASE_Q, [1, 20]).fetchall()


def test_a_cursor_takes_one_statement_and_a_warning() -> None:
    found = said(CASE_Q, MANY)["server_cursor"]
    assert "cursor_tuple_fraction" in found.why
    assert found.after == "SELECT id, amount FROM records WHERE client_id = %s AND status = 'pending' ORDER BY id"
    assert found.takes == (1,)


def test_batches_that_come_back_full_may_be_larger() -> None:
    found = said(CASE_Q, seen(calls=90, rows=360, most_calls=90))["larger_batch"]
    assert found.after is not None
    assert found.after.endswith("LIMIT 40")
    assert "larger_batch" not in said(CASE_Q, seen(calls=90, rows=90, most_calls=90))


def test_the_drain_form_keeps_its_lock(postgres: "psycopg.Connection[Any]") -> None:
    text = "select id from records where client_id = %(client)s order by id limit 5 for update skip locked"
    found = said(text, MANY)["ids_first"]
    assert found.after is not None
    assert found.once is not None
    assert found.after.endswith("FOR UPDATE SKIP LOCKED")
    assert "FOR UPDATE" not in found.once
    keys = [key for key, in postgres.execute(found.once, {"client": 2}).fetchmany(5)]
    assert [key for key, in postgres.execute(found.after, {"client": 2, "keys": keys})] == keys


@pytest.mark.parametrize(("order", "condition"), [
    ("created_at desc", "(created_at, id) < (%s, %s)"), ("created_at desc, id desc", "(created_at, id) < (%s, %s)"),
    ("id", "id > %s"), ("amount, created_at", "(amount, created_at, id) > (%s, %s, %s)"),
])
def test_a_page_begins_behind_the_last_row_of_the_one_before(
        order: str, condition: str, postgres: "psycopg.Connection[Any]") -> None:
    text = "select amount, created_at, id from records where client_id = %s order by {} limit 7 offset %s"
    found = said(text.format(order))["keyset"]
    assert found.after is not None
    assert condition in found.after
    total = order if "id" in order else f"{order}, id {'desc' if 'desc' in order else ''}"
    expected = postgres.execute(text.format(total), [1, 7]).fetchall()
    last = postgres.execute(text.format(total), [1, 6]).fetchall()[0]
    by_name = dict(zip(("amount", "created_at", "id"), last, strict=True))
    names = [term.split()[0] for term in total.split(", ")]
    assert postgres.execute(found.after, [1, *(by_name[name] for name in names)]).fetchall() == expected


def test_a_page_by_a_column_that_may_be_null_says_what_would_be_missed() -> None:
    assert "created_at may be NULL" in said("select * from records order by created_at limit 5 offset 5")["keyset"].why


def test_an_order_in_two_directions_is_described_only() -> None:
    found = said("select * from records order by created_at desc, id limit 10 offset 20")["keyset"]
    assert found.after is None
    assert "do not all go the same way" in found.why


def test_one_look_up_after_another_becomes_one_statement(postgres: "psycopg.Connection[Any]") -> None:
    text = "select label from records where id = %s and label like 'l%%'"
    found = said(text, seen(calls=500, rows=500, most_calls=500, at_most_one=500))["batch"]
    assert found.after == "SELECT id, label FROM records WHERE id = ANY(%s) AND label LIKE 'l%%'"
    assert dict(postgres.execute(found.after, [[3, 4]]).fetchall()) == {3: "l3%", 4: "l4%"}
    assert "batch" not in said(text, seen(calls=500, rows=500, most_calls=2, at_most_one=500))


def test_a_function_of_a_time_becomes_a_range(postgres: "psycopg.Connection[Any]") -> None:
    text = "select id from records where created_at::date = %(day)s order by id"
    found = said(text)["plain_column"]
    assert found.after is not None
    assert "CAST(created_at" not in found.after
    parameters = {"day": "2026-01-05"}
    assert postgres.execute(found.after, parameters).fetchall() == postgres.execute(text, parameters).fetchall() != []


@pytest.mark.parametrize(("text", "dialect", "takes", "after"), [
    ("select id from records where client_id = $2 and id > $1 order by id limit 3", "postgres", (1, 2),
     "SELECT id FROM records WHERE client_id = $2 AND id > $1 ORDER BY id + 0 LIMIT 3"),
    ("select id from records where client_id = %s and label like '50%%' order by id limit 3", "postgres", (1,),
     "SELECT id FROM records WHERE client_id = %s AND label LIKE '50%%' ORDER BY id + 0 LIMIT 3"),
    ("select id from records where client_id = :client order by id limit 3", "sqlite", (1,),
     "SELECT id FROM records WHERE client_id = :client ORDER BY id + 0 LIMIT 3"),
    ("select id from records where client_id = 4 and label like '50%' order by id limit 3", "postgres", (),
     "SELECT id FROM records WHERE client_id = 4 AND label LIKE '50%' ORDER BY id + 0 LIMIT 3"),
])
def test_placeholders_stay_those_of_the_driver(text: str, dialect: Dialect, takes: tuple[int, ...],
                                               after: str) -> None:
    schema = Schema(dialect=dialect, tables=alone().tables)
    found = said(text, MANY, schema)["force_index"]
    assert found.after is not None
    assert (" ".join(found.after.split()).replace(" NULLS LAST", ""), found.takes) == (after, takes)


def test_numbered_placeholders_are_counted_anew_where_one_goes() -> None:
    found = said("select id from records where client_id = $2 and id > $1 order by id limit 3", MANY)["ids_first"]
    assert found.once == "SELECT id FROM records WHERE client_id = $1 ORDER BY id"
    assert found.once_takes == (2,)


def test_sqlite_takes_a_list_as_json() -> None:
    schema = Schema(dialect="sqlite", tables=alone().tables)
    found = said("select label from records where id = ?", seen(calls=99, rows=99, most_calls=99, at_most_one=99),
                 schema)["batch"]
    assert found.after is not None
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(_TABLE)
        connection.executemany("insert into records values (?, ?, ?, ?, ?, ?, ?)", list(rows()))
        assert sorted(connection.execute(found.after, [json.dumps([3, 4])])) == [(3, "l3%"), (4, "l4%")]


@pytest.mark.parametrize("text", [
    "select count(*) from records where client_id = %s", "update records set amount = 1 where id = %s", "selec",
    "select * from records r join clients c on c.id = r.client_id where r.id = %s limit 3 offset 4",
    "select client_id, sum(amount) from records group by client_id limit 3 offset 4",
])
def test_what_is_not_understood_in_full_is_left_as_it_is(text: str) -> None:
    assert said(text, MANY) == {}


def test_a_subquery_that_is_read_through_is_not_put_into_other_words() -> None:
    assert said("select * from (select * from records) r where client_id = %s order by id limit 5 offset 5", MANY) == {}
