"""Equal canonical texts mean that nothing has to be sent."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.digest import encode, refuse_unwritable

JSON = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
                    lambda each: st.lists(each, max_size=4) | st.dictionaries(
                        st.text(st.characters(codec="utf-8"), max_size=5), each, max_size=4), max_leaves=10)


@dataclass
class Person:
    name: str
    age: int


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=6))
def test_the_order_of_members_does_not_matter(value: dict[str, Any]):
    assert encode(value) == encode(dict(reversed(value.items())))


def test_what_differs_differs():
    values: list[Any] = [1, 1.5, "1", True, None, [], {}, [1], ["1"], {"a": 1}, {"a": None}, {"a": 1, "b": None}, "",
                         "é", "e\u0301", {"a": [1, 2]}, {"a": [2, 1]}]
    assert len({encode(value) for value in values}) == len(values)
    assert encode(1) != encode(1.0)


@pytest.mark.parametrize(("value", "text"), [
    ({"b": 1, "a": {"d": 2, "c": 3}}, b'{"a":{"c":3,"d":2},"b":1}'), (Person("Ann", 5), b'{"age":5,"name":"Ann"}'),
    (date(2027, 1, 2), b'"2027-01-02"'), (datetime(2027, 1, 2, tzinfo=UTC), b'"2027-01-02T00:00:00Z"'),
    (Decimal("1.10"), b'"1.10"'), (UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
])
def test_the_text_is_canonical(value: Any, text: bytes):
    assert encode(value) == text


@pytest.mark.parametrize("value", [object(), "\ud800", {1j: 1}])
def test_what_cannot_be_written_is_refused(value: Any):
    with pytest.raises((TypeError, ValueError)):
        encode(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [1, {"b": float("-inf")}]},
                                   Person("x", float("nan"))])
def test_a_number_that_json_cannot_write_is_refused(value: Any):
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        refuse_unwritable(value)


@pytest.mark.parametrize("value", [None, 1.5, {"a": [None, Decimal("NaN"), date(2026, 1, 1)]}, Person("x", 1)])
def test_others_are_not(value: Any):
    refuse_unwritable(value)
