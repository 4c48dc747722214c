"""The catalogue: every statement is used, and stands for both dialects with the same parameters."""

import re
from pathlib import Path

import pytest

from penstock.store.statements import DIALECTS, Dialect, catalogue, compile_sql, parse

SRC = Path(__file__).parents[3] / "src" / "penstock"
NAMES = sorted({name for name, _ in catalogue()})


def test_every_statement_stands_for_both_dialects_with_the_same_parameters():
    """All in one test, as wherever there are hundreds that take less than it takes to run a test."""
    assert set(catalogue()) == {(name, dialect) for name in NAMES for dialect in DIALECTS}
    # A statement that has nothing to do on one of the two is `select` of a constant there.
    compared = [name for name in NAMES
                if not any(re.fullmatch(r"select (1|true)", catalogue()[name, dialect].text) for dialect in DIALECTS)]
    assert len(compared) > 400
    found = {name: [parameters(name, dialect) for dialect in DIALECTS] for name in compared}
    assert {name: both for name, both in found.items() if both[0] != both[1]} == {}


def parameters(name: str, dialect: Dialect) -> set[str]:
    """What a statement is given; where SQLite takes rows as one, PostgreSQL takes their columns."""
    names = set(compile_sql(catalogue()[name, dialect].text, dialect, layer="state_x", former="state_y").names)
    return names - {"rows"} | set(catalogue()[name, dialect].columns)


def test_every_statement_is_used():
    code = "\n".join(path.read_text("utf-8") for path in SRC.rglob("*.py"))
    quoted = set(re.findall(r"[\"'](\w+)(?=[\"'])", code))
    assert [name for name in NAMES if name not in quoted] == []


@pytest.mark.parametrize(("text", "fault"), [
    ("-- name: a\n-- dialect: postgres\nselect 1;", "a needs both"),
    ("-- name: a\n-- differs: why\nselect 1;", "a needs both"),
    ("-- name: a\nselect 1;\n-- name: a\nselect 2;", "a stands twice"),
    ("-- name: a\nselect 1;\n-- name: a\n-- dialect: sqlite\n-- differs: why\nselect 2;", "a stands twice for sqlite"),
])
def test_a_fault_in_a_file_is_named(text: str, fault: str):
    with pytest.raises(ValueError, match=f"x.sql: {fault}"):
        parse(text, "x.sql")


def test_a_statement_for_one_dialect_says_why():
    found = parse("-- about the file\n\n-- name: a\n-- dialect: sqlite\n-- differs: why\nselect 1;\n", "x.sql")
    dialect: Dialect = "sqlite"
    assert list(found) == [("a", dialect)]
    assert (found["a", dialect].text, found["a", dialect].differs) == ("select 1", "why")


@pytest.mark.parametrize(("dialect", "expected"), [
    ("postgres", "select cast(array_to_json(tags) as text) from t where %(tag)s = any (tags) and '%%' = 'x'"),
    ("sqlite", "select tags from t where exists (select 1 from json_each(tags) t where t.value = :tag) and '%' = 'x'"),
])
def test_what_each_dialect_writes_in_its_own_way_is_said_in_one(dialect: Dialect, expected: str):
    said = "select penstock.tags_as_json() from t where penstock.is_tagged() and '%' = 'x'"
    found = compile_sql(said, dialect)
    assert (found.sql, found.names) == (expected, ("tag",))
