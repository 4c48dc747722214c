"""The corpus of `bench advise` is what it says it is, and is judged by what an index is good for."""

import pytest

from bench.advise import DOMAINS
from bench.advise.case import Case, plain
from penstock.advise.parsing.parse import parse
from penstock.advise.parsing.safety import safety

CASES = [case for domain in DOMAINS for case in domain.cases]


def test_there_are_thirty_over_six_domains_and_ten_need_none() -> None:
    assert len(DOMAINS) == 6
    assert len(CASES) == len({case.name for case in CASES}) == 30
    assert sum(case.needs_none for case in CASES) == 10
    assert all(len(case.why.split()) > 4 for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_is_a_statement_that_may_be_explained(case: Case) -> None:
    assert parse(case.text, "postgres").fault is None
    assert safety(case.text, "postgres").explain
    assert case.text.count("%s") == len(case.parameters)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("jobs (a, b DESC)", "jobs (a, b)", True), ("jobs (a desc, b desc)", "jobs (a, b)", True),
    ("jobs (a, b DESC, c)", "jobs (a, b, c)", False), ("jobs (a) INCLUDE (b, c)", "jobs (a)", True),
    ("jobs (a) WHERE b = 'x'", "jobs (a) where b = 'X'", True), ("jobs (a) WHERE (b = 'x')", "jobs (a)", False),
    ("jobs (b, a)", "jobs (a, b)", False), ("jobs ((lower(a)))", "jobs ((lower(a)))", True),
    ("jobs (a, b DESC NULLS LAST)", "jobs (a, b)", False),
])
def test_what_makes_no_difference_is_left_out_of_the_comparison(one: str, other: str, same: bool) -> None:
    assert (plain(one) == plain(other)) == same


def test_the_first_counts_and_none_has_to_be_none() -> None:
    case = Case("x", "select 1", (), ("t (a)", "t (b)"), "why")
    assert case.right(["t (b)", "t (c)"])
    assert not case.right(["t (c)", "t (b)"])
    assert case.among(["t (c)", "t (b)"])
    assert not case.right([])
    none = Case("y", "select 1", (), (), "why")
    assert none.right([])
    assert not none.right(["t (a)"])
    assert not none.among(["t (a)"])
