"""A message loses the values of its row, and nothing else."""

import pytest

from penstock.connectors.sql.redact import redacted


@pytest.mark.parametrize(("message", "values", "left"), [
    ('invalid input syntax for type integer: "secret"', ["secret"], 'invalid input syntax for type integer: "***"'),
    ("nobody called secret@x is 104", ["secret@x", "104"], "nobody called *** is ***"),
    ("value 1.5 is no 1", [1.5, 1], "value *** is no ***"),
    ("a word is too long", ["a", "is"], "a word is too long"),
    ('a "a" is no number', ["a"], 'a "***" is no number'),
    ("secretary", ["secret"], "secretary"),
    ("nothing at all", [None, ""], "nothing at all"),
    ("a secret of secrets", ["secret", "a secret of secrets"], "***"),
])
def test_values_are_left_out(message: str, values: list[object], left: str) -> None:
    assert redacted(message, values) == left
