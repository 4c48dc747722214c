"""Loops that are no N+1: several rows for each value, and writes row by row."""

from typing import Any

import pytest

from penstock.domain.traces import CallSite
from penstock.observe.patterns import patterns
from tests.unit.observe.seen import SECOND, statement, traced, work

BOOKS = "select title from book where author_id = %s"
INSERT = "insert into line (report_id, text) values (%s, %s)"
TIME = traced(total_us=2 * SECOND)


def named(seen: Any) -> list[str]:
    return [found.kind for found in patterns(work(seen, trace=TIME))]


def asked(**changed: Any) -> Any:
    return statement(**{"text": BOOKS, "calls": 200, "each_us": 5000, "rows_each": 7, "asked": [(1,), (2,), (3,)],
                        **changed})


def written(**changed: Any) -> Any:
    return statement(**{"text": INSERT, "calls": 1000, "each_us": 1000, "rows_each": 1, **changed})


def test_the_rows_of_each_value_asked_for_one_by_one() -> None:
    (found,) = patterns(work(asked(), trace=TIME))
    assert found.kind == "loop of queries"
    assert found.says == ("200 calls, each 7 rows, 5 ms each: 1 s of 2 s, by `select title from book where author_id ="
                          " %s` at shop/nightly.py:27 in calculate")
    assert "ordered by value" in found.faster


@pytest.mark.parametrize("changed", [
    {"calls": 19, "each_us": 50_000},
    {"each_us": 900},                                          # a tenth of the time is more
    {"rows_each": 150},                                        # each is a piece of work
    {"asked": [(1,), (1,), (1,)]},                             # it asks again what it knows
    {"asked": []},                                             # nobody knows what it asked for
    {"text": BOOKS + " order by id limit 10"},
    {"text": "select title from book where author_id = %s and id > %s"},
    {"sites": [CallSite("a.py", n, "f", 40) for n in range(5)]},
])
def test_what_is_no_loop_of_queries(changed: dict[str, Any]) -> None:
    assert "loop of queries" not in named(asked(**changed))


def test_with_one_row_each_it_is_an_n_plus_one() -> None:
    assert named(asked(rows_each=1)) == ["n+1"]


@pytest.mark.parametrize("text", [INSERT, "update book set seen = true where id = %s", "delete from book where id = %s",
                                  "insert into line (a) values (%s) on conflict do nothing returning id"])
def test_rows_written_one_by_one(text: str) -> None:
    (found,) = patterns(work(written(text=text), trace=TIME))
    assert found.kind == "single writes"
    assert found.says.startswith("1,000 calls, each at most one row, 1 ms each: 1 s of 2 s")
    assert "executemany" in found.faster


@pytest.mark.parametrize("changed", [
    {"calls": 49, "each_us": 20_000},
    {"each_us": 100},
    {"rows_each": 100},                                        # many at once, as executemany does
    {"text": "insert into line select * from draft where id = %s"},
    {"text": "update book set seen = true where id = any(select id from draft where owner = %s)"},
    {"text": "update book set seen = true"},
    {"sites": []},
])
def test_what_are_no_single_writes(changed: dict[str, Any]) -> None:
    assert named(written(**changed)) == []
