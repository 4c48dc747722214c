"""Arrays that are written without the driver come back as they were."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.store.postgres.arrays import written

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)
SPECIAL = st.sampled_from(["", "null", "NULL", "{}", ",", '"', "\\", "\\N", " a ", "{a,b}", '\\"'])
ELEMENTS: dict[str, Any] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double precision": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "text": TEXTS | SPECIAL,
}


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("kind", ELEMENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
def test_a_list_comes_back_as_it_was(connection: "psycopg.Connection[Any]", kind: str, data: st.DataObject):
    values = data.draw(st.lists(ELEMENTS[kind] | st.none(), max_size=6))
    assert isinstance(written(values), str)
    assert connection.execute(f"select %s::{kind}[]".encode(), [written(values)]).fetchone() == (values,)


@pytest.mark.parametrize("values", [[b"\0"], [["a"], ["b"]], [{"a": 1}], [1, "a"], [1, True]])
def test_what_the_driver_knows_better_is_left_to_it(values: list[Any]):
    assert written(values) is values


def test_a_text_that_postgres_cannot_hold_is_refused(connection: "psycopg.Connection[Any]"):
    with pytest.raises(psycopg.DataError):
        connection.execute(b"select %s::text[]", [written(["a\0b"])])
