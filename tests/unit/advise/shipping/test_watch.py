"""Before and after shipping: worked, no change, worse, or too few to tell; and indexes that only cost."""

import random

import pytest

from penstock.advise.shipping.unneeded import unneeded
from penstock.advise.shipping.watch import Span, compare
from penstock.domain.advice import Index, Key, Schema, Table


def hours(mean_us: float, count: int, *, seed: int = 1, spread: float = 0.3) -> list[Span]:
    drawn = random.Random(seed)
    return [Span(90, round(90 * mean_us * drawn.lognormvariate(0, spread))) for _ in range(count)]


@pytest.mark.parametrize(("before", "after", "became"), [
    (hours(30_000, 20), hours(300, 7), "worked"), (hours(30_000, 20), hours(30_000, 20, seed=2), "no change"),
    (hours(300, 20), hours(30_000, 7), "worse"), (hours(30_000, 20), hours(300, 4), "too few"),
    (hours(30_000, 4), hours(300, 20), "too few"), ([], [], "too few"),
    (hours(1000, 6, spread=2.0), hours(900, 6, seed=2, spread=2.0), "too few"),
    ([Span(10, 100)] * 9, [Span(10, 100)] * 9, "no change"), ([Span(0, 0)] * 9, [Span(0, 0)] * 9, "too few"),
])
def test_what_became_of_it(before: list[Span], after: list[Span], became: str):
    found = compare(before, after)
    assert found.became == became
    assert found.says


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 400 comparisons of times that fell to a third, about 95 in 100 intervals have to hold 3."""
    held = 0
    for seed in range(400):
        found = compare(hours(3000, 8, seed=seed), hours(1000, 8, seed=seed + 10_000))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 3 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_no_change_is_seldom_called_one():
    wrong = sum(compare(hours(1000, 8, seed=seed), hours(1000, 8, seed=seed + 10_000)).became in ("worked", "worse")
                for seed in range(400))
    assert wrong <= 8


def index(name: str, *columns: str, **given: object) -> Index:
    return Index(name=name, keys=tuple(Key(column=column) for column in columns), **given)  # type: ignore[arg-type]


def test_indexes_that_only_cost_are_named():
    table = Table(name="records", reads=1_000_000, indexes=(
        index("pkey", "id", primary=True, unique=True, scans=0), index("long", "client_id", "status", scans=9),
        index("short", "client_id", scans=5, size=10), index("unread", "payload", scans=0, size=30),
        index("broken", "at", valid=False, size=20), index("only_one", "email", unique=True, scans=0),
        index("partial", "client_id", predicate="status = 'x'", scans=3), index("unknown", "kind", scans=None),
        index("twin_a", "a", scans=1), index("twin_b", "a", scans=1)))
    found = {each.index: each.fault for each in unneeded(Schema(dialect="postgres", tables=(table,)))}
    assert found == {"unread": "unused", "broken": "invalid", "short": "redundant", "twin_b": "redundant"}


def test_a_table_that_nobody_reads_says_nothing_of_its_indexes():
    table = Table(name="records", reads=5, indexes=(index("unread", "payload", scans=0),))
    assert unneeded(Schema(dialect="postgres", tables=(table,))) == []
