"""The forms in which drivers take a statement."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.store.adapters.forms import as_compiled, with_dollars, with_percents
from penstock.store.statements import compile_sql

TEXT = "select :b, ':no', :a::json, 5 % 2, '100%', \":no\", :b where x = any (:c) -- :no"


def test_what_was_compiled_for_a_driver_is_left_alone():
    params = {"a": 1}
    sql, given = as_compiled("select %(a)s", params)
    assert (sql, given) == ("select %(a)s", params)


def test_numbers_stand_for_names_in_the_order_in_which_they_appear():
    sql, given = with_dollars(compile_sql(TEXT, "postgres").sql, {"a": "{}", "b": 7, "c": ["x"], "unused": None})
    assert sql == ("select $1::bigint, ':no', $2::text::json, 5 % 2, '100%', \":no\", $1::bigint"
                   " where x = any ($3::text[])")
    assert given == (7, "{}", ["x"])


@pytest.mark.parametrize(("value", "cast"), [
    ("x", "::text"), (5, "::bigint"), (True, "::boolean"), (0.5, "::double precision"), (b"", "::bytea"), (None, ""),
    (["x", None], "::text[]"), ([None, "x"], "::text[]"), ([1], "::bigint[]"), ([b"x"], "::bytea[]"), ([], ""),
    ([None], ""), (("x",), "::text[]"),
])
def test_a_value_is_sent_as_what_it_is(value: Any, cast: str):
    assert with_dollars("select %(value)s", {"value": value}) == (f"select $1{cast}", (value,))


def test_a_value_that_no_statement_takes_is_refused():
    with pytest.raises(KeyError):
        with_dollars("select %(value)s", {"value": object()})


def test_django_takes_percents_on_sqlite_and_turns_them_back():
    compiled = compile_sql(TEXT, "sqlite").sql
    params = {"a": 1, "b": 2, "c": 3}
    sql, given = with_percents(compiled, params)
    assert given == params
    assert sql % {name: f":{name}" for name in params} == compiled


def test_django_takes_no_percents_where_there_are_no_parameters():
    assert with_percents("select '100%'", {}) == ("select '100%'", None)


PIECES = st.sampled_from(["select ", " ", ":a", ":b", "'%'", "%", "%%", "'%(a)s'", '":a"', "::json", "x", "\n", "$1"])


@given(st.lists(PIECES).map("".join))
def test_no_percent_sign_is_lost(text: str):
    sqlite = compile_sql(text, "sqlite")
    values: dict[str, Any] = {"unused": None, **dict.fromkeys(sqlite.names)}
    assert with_percents(sqlite.sql, values)[0] % {name: f":{name}" for name in values} == sqlite.sql
    postgres = compile_sql(text, "postgres")
    sql, given = with_dollars(postgres.sql, values)
    assert sql.count("%") == sqlite.sql.count("%")
    assert len(given) == len(postgres.names)
