"""Digests of the fields of a payload."""

from decimal import Decimal
from typing import Any

import pytest

from penstock.domain.digest import encode
from penstock.domain.fields import PARENT, PAYLOAD, REFERENCES, changed, field_digests, names


def canonical(payload: Any, parent: str | None = None, references: tuple[str, ...] = ()) -> bytes:
    return encode((payload, parent, references))


def test_each_field_has_a_digest_of_four_bytes_that_is_the_same_everywhere():
    found = field_digests(canonical({"b": 1, "a": {"y": 2, "x": 1}}))
    assert list(found) == ["a", "b"]
    assert {name: digest.hex() for name, digest in found.items()} == {"a": "8c9f3e34", "b": "160f9966"}


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, "1"), (1, True), (None, False), ("", None), ([], {}),
                                            (Decimal("1"), 1)])
def test_values_of_different_kinds_differ(one: Any, other: Any):
    assert field_digests(canonical({"a": one})) != field_digests(canonical({"a": other}))


def test_the_same_value_in_two_fields_has_two_digests():
    assert len(set(field_digests(canonical({"a": 1, "b": 1})).values())) == 2


def test_links_are_fields_of_their_own():
    assert names(canonical({"a": 1}, "p1", ("r1",))) == {"a", PARENT, REFERENCES}
    assert names(canonical(None, "p1")) == {PARENT}
    assert names(canonical([1, 2])) == {PAYLOAD}
    one, other = (field_digests(canonical({"a": 1}, parent)) for parent in ("p1", "p2"))
    assert changed(one, other) == (PARENT,)


def test_what_changed_is_what_is_new_or_different():
    old = field_digests(canonical({"a": 1, "b": 2, "gone": 3}))
    assert changed(field_digests(canonical({"a": 1, "b": 3, "c": None})), old) == ("b", "c")
