"""Statements of any length have a shape, and what is as long as it likes is neither remembered nor told apart by data.
"""

import pytest

from penstock.domain.fingerprint import fingerprint, shape


@pytest.mark.parametrize(("row", "told"), [
    ("({0}, 'some text {0}')", "insert into t(a,b)values(…)"),
    ("({0}, {0})", "insert into t(a,b)values(…)"),
])
def test_long_lists_of_rows_are_one_statement_whatever_is_in_them(row: str, told: str) -> None:
    texts = ["insert into t (a, b) values " + ", ".join(row.format(number) for number in range(start, start + 5000))
             for start in (1, 7, 123_456)]
    assert {shape(text) for text in texts} == {told}
    assert shape(f"insert into t (a, b) values {row.format(1)}") == told
    assert len({fingerprint(text) for text in texts}) == 1


def test_a_long_list_of_values_is_left_out() -> None:
    texts = [f"select * from t where id in ({', '.join(map(str, range(start, start + 9000)))}) and x = 1"
             for start in (1, 100_000)]
    assert {shape(text) for text in texts} == {"select * from t where id in"}


def test_a_long_text_without_lists_keeps_its_beginning() -> None:
    assert shape("select " + "a" * 30_000).startswith("select aaa")
    assert shape("select '" + "a" * 30_000 + "'") == "select ?"
