"""Patterns of calls to other systems."""

from typing import Any

import pytest

from penstock.observe.patterns import patterns
from tests.unit.observe.seen import MINUTE, SECOND, called, statement, traced, work


def named(*parts: Any, **options: Any) -> list[str]:
    return [found.kind for found in patterns(work(*parts, **options))]


RUNS = traced("directory", kind="run", traces=40, total_us=200 * MINUTE)


def test_chatty_calls_name_their_route() -> None:
    (found,) = patterns(work(called("/v2/users/*", method="PATCH"), trace=traced(total_us=5 * MINUTE)))
    assert found.kind == "chatty calls"
    assert found.says == ("200 calls of PATCH api.example.com/v2/users/*, one by one: 3 min 20 s of 5 min, at"
                          " shop/nightly.py:27 in calculate")
    assert found.faster.startswith("a bulk endpoint, if api.example.com has one")
    (found,) = patterns(work(called("/users/*/roles"), trace=traced(total_us=5 * MINUTE)))
    assert found.faster.startswith("a list or a search")
    assert "/users/*/roles, one by one, unless * is the same in all of them: 3 min" in found.says
    assert named(called("/users/*:disable", method="POST"), trace=traced(total_us=5 * MINUTE)) == ["chatty calls"]


@pytest.mark.parametrize(("route", "changed"), [
    ("/v2/users", {}),                                # a bulk endpoint, or pages
    ("/accounts/*/users/active", {}),                 # whose they are is the same each time
    ("/customers/*/campaigns:mutate", {"method": "POST"}),  # a method of many
    ("/", {}),
    ("/v2/users/*", {"calls": 19}),
    ("/v2/users/*", {"each_us": 100_000}),            # a fifteenth of the time
])
def test_what_is_not_chatty(route: str, changed: dict[str, Any]) -> None:
    assert named(called(route, **changed), trace=traced(total_us=5 * MINUTE)) == []


def test_what_every_run_fetches_again_is_named() -> None:
    (found,) = patterns(work(called("/scim/Users", calls=40 * 12, each_us=20 * SECOND, traces=40), trace=RUNS))
    assert found.kind == "shared fetch"
    assert found.says.startswith("12 calls in each of 40 traces of GET api.example.com/scim/Users, the same each time:"
                                 " 2 h 40 min of 3 h 20 min")
    assert "snapshot" in found.faster


def test_so_is_a_statement_that_asks_for_the_same() -> None:
    prices = statement("select sku, price from price_list", calls=40, each_us=4 * MINUTE, traces=40)
    assert named(prices, trace=RUNS) == ["shared fetch"]
    of_one = statement("select sku, price from price_list where customer = %s", calls=40, each_us=4 * MINUTE, traces=40)
    assert named(of_one, trace=RUNS) == []


@pytest.mark.parametrize(("route", "changed", "kind"), [
    ("/scim/Users", {"traces": 20}, "run"),                        # only half of the runs
    ("/scim/Users", {"each_us": 2 * SECOND}, "run"),               # too little of the time
    ("/scim/Users", {"method": "POST"}, "run"),
    ("/scim/Groups/*/members", {}, "run"),                         # of its own group
    ("/scim/Users", {}, "window"),                                 # which is one execution for many runs
])
def test_what_a_snapshot_would_not_save(route: str, changed: dict[str, Any], kind: Any) -> None:
    seen = called(route, **{"calls": 480, "each_us": 20 * SECOND, "traces": 40, "most_calls": 12, **changed})
    assert "shared fetch" not in named(seen, trace=traced(kind=kind, traces=40, total_us=200 * MINUTE))
