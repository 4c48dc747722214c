"""Tokens: parameters and names are found only where they really are."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.store.statements import compile_sql, positional
from penstock.store.tokens import Kind, tokenise

PIECES = st.sampled_from([
    "select", " ", "\n", ":name", "::int", ":=", ":", "'", '"', "`", "$$", "$a$", "--", "/*", "*/", "%", "E'", "\\",
    "x", "penstock.jobs", "penstock.now()", "1", ".", "''", "é", "(", ")", ",", "$1", "e", "[", "]",
])


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_the_tokens_joined_are_the_text(text: str):
    assert "".join(token.text for token in tokenise(text)) == text


def parameters(sql: str) -> list[str]:
    return [token.text for token in tokenise(sql) if token.kind is Kind.PARAMETER]


@pytest.mark.parametrize("hidden", [
    "':no'", "'it''s :no'", '":no"', '"a "" :no"', "-- :no\n", "/* :no */", "/* -- */ /* :no */", "$$ :no $$",
    "$tag$ :no $tag$", "$tag$ $$ :no $$ :no $tag$", "$a$ $b$ :no $b$ :no $a$", "x::no", "x :: no", "x := 1",
    r"E'\' :no'", r"e'\\'' :no'", "`:no`", "'%s :no'",
])
def test_a_colon_that_is_no_parameter(hidden: str):
    assert parameters(f"select {hidden}, :yes") == [":yes"]


@pytest.mark.parametrize(("sql", "found"), [
    ("select :a", [":a"]), (":a::int", [":a"]), ("x=:a", [":a"]), ("(:a,:b)", [":a", ":b"]),
    (":a -- it's\n, :b", [":a", ":b"]), (r"'\', :a", [":a"]), ("$1, :a", [":a"]), ("a ->> '$.x', :a", [":a"]),
    ("case when 1 then :a_1 end", [":a_1"]), ("'never closed, :a", [":a"]), ("1 : 2, :a", [":a"]),
])
def test_a_colon_that_is_one(sql: str, found: list[str]):
    assert parameters(sql) == found


def test_a_name_carries_its_dots():
    names = [token.text for token in tokenise("a.b.c = penstock.now() + f (x)") if token.kind is Kind.NAME]
    assert names == ["a.b.c", "penstock.now()", "f", "x"]


def test_psycopg_gets_its_own_parameters_and_doubled_percents():
    compiled = compile_sql("select '100%' || :a, :b % 2, :a -- 5%", "postgres")
    assert compiled.sql == "select '100%%' || %(a)s, %(b)s %% 2, %(a)s"
    assert compiled.names == ("a", "b")
    assert compile_sql("select '100%', :a", "sqlite").sql == "select '100%', :a"


def test_a_comment_is_a_space():
    assert compile_sql("select/* no */1", "sqlite").sql == "select 1"
    assert compile_sql("select 1 --;\n+ 1", "postgres").sql.split() == ["select", "1", "+", "1"]


def test_tables_and_time_by_dialect():
    sql = "select penstock.jobs.id, penstock.now(), 'penstock.jobs' from penstock.jobs, penstock.layer"
    assert compile_sql(sql, "sqlite", now="5", layer="state_x").sql == (
        "select penstock_jobs.id, 5, 'penstock.jobs' from penstock_jobs, penstock_state_x")
    assert compile_sql(sql, "postgres", now="5 % 3", layer="state_x").sql == (
        "select penstock.jobs.id, 5 %% 3, 'penstock.jobs' from penstock.jobs, penstock.state_x")


@pytest.mark.parametrize("layer", [None, "", "X", "a b", "a;drop table x", "1a", "a" * 57])
def test_a_layers_table_has_a_plain_name(layer: str | None):
    with pytest.raises(ValueError, match="needs the layer's table name"):
        compile_sql("select 1 from penstock.layer", "sqlite", layer=layer)


def test_rows_of_parameters():
    sql, names = positional("insert into t values (:a, ':a', :b, :a)")
    assert (sql, names) == ("insert into t values (?, ':a', ?, ?)", ("a", "b", "a"))


@given(st.text(alphabet="'\"-/*$: a%\n", max_size=20))
def test_a_literal_stays_what_it_is(value: str):
    quoted = "'" + value.replace("'", "''") + "'"
    compiled = compile_sql(f"select {quoted}, :p", "sqlite")
    connection = sqlite3.connect(":memory:")
    assert connection.execute(compiled.sql, {"p": 1}).fetchone() == (value, 1)
    connection.close()
