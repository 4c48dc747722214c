"""The small rules: retries, names, keys, folding, limits, errors as rows."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Concurrency, Quota, Rate, RetryPolicy, Window
from penstock.domain.errors import ConfigurationError
from penstock.domain.folding import Request, fold, merge_reasons
from penstock.domain.jobs import storable
from penstock.domain.keys import compound, key_reader, key_text
from penstock.domain.names import did_you_mean, layer_table, name_fault


class TestRetry:
    @pytest.mark.parametrize(("attempt", "seconds"), [(1, 2.0), (2, 4.0), (3, 8.0), (11, 2048.0), (12, 3600.0)])
    def test_waits_double_up_to_the_longest(self, attempt: int, seconds: float):
        assert RetryPolicy(jitter=0).delay_seconds(attempt) == seconds

    def test_jitter_is_drawn_evenly_around_the_wait(self):
        bounds: list[tuple[float, float]] = []
        RetryPolicy(jitter=0.2).delay_seconds(1, lambda low, high: bounds.append((low, high)) or 1.0)
        assert bounds == [(0.8, 1.2)]

    @given(st.integers(1, 2**31 - 1), st.floats(0, 1e6), st.floats(1, 1e300), st.floats(0, 3e8), st.floats(0, 1))
    def test_a_wait_is_always_a_number_within_bounds(
            self, attempt: int, base: float, factor: float, longest: float, jitter: float):
        policy = RetryPolicy(base_seconds=base, factor=factor, longest_seconds=longest, jitter=jitter)
        assert 0 <= policy.delay_seconds(attempt) <= 2 * longest

    @pytest.mark.parametrize(("given", "fault"), [
        ({"max_attempts": 0}, "max_attempts"), ({"max_attempts": 1.5}, "max_attempts"),
        ({"max_attempts": 2**31}, "max_attempts"), ({"base_seconds": -1}, "base_seconds"),
        ({"longest_seconds": math.inf}, "longest_seconds"), ({"base_seconds": math.nan}, "base_seconds"),
        ({"factor": 0.5}, "factor"), ({"factor": math.nan}, "factor"), ({"jitter": 1.1}, "jitter"),
    ])
    def test_a_policy_that_cannot_be(self, given: dict[str, Any], fault: str):
        with pytest.raises(ConfigurationError, match=fault):
            RetryPolicy(**given)

    def test_all_faults_at_once(self):
        with pytest.raises(ConfigurationError) as caught:
            RetryPolicy(max_attempts=0, factor=0, jitter=2)
        assert len(caught.value.faults) == 3


class TestNames:
    @pytest.mark.parametrize("name", ["a", "mail.high-1_2", "x" * 64])
    def test_a_name(self, name: str):
        assert name_fault("queue", name) is None

    @pytest.mark.parametrize("name", ["", "A", "a b", "x" * 65, "é", "a\n", "a/b"])
    def test_no_name(self, name: str):
        assert "expected a queue name" in (name_fault("queue", name) or "")

    def test_the_nearest(self):
        assert did_you_mean("sned", ["send", "fetch"]) == "; did you mean 'send'?"
        assert did_you_mean("xyz", ["send"]) == ""

    @pytest.mark.parametrize(("sync", "layer", "table"), [
        ("directory", "People", "state_directory__people"), ("google-ads", "AdGroups", "state_google_ads__ad_groups"),
        ("s" * 40, "Layer", f"state_{'s' * 33}_"), ("a.b", "C", "state_a_b_c_"), ("a", "b_c", "state_a_b_c_"),
    ])
    def test_the_table_of_a_layer(self, sync: str, layer: str, table: str):
        assert layer_table(sync, layer).startswith(table)

    @pytest.mark.parametrize(("one", "two"), [
        (("a", "b_c"), ("a_b", "c")), (("a-b", "C"), ("a_b", "C")), (("a", "Users"), ("a", "users")),
        (("a", "AdGroups"), ("a", "Adgroups")), (("a-b", "C"), ("a", "BC")), (("a-b", "C"), ("a", "B_C")),
    ])
    def test_what_is_nearly_the_same_is_not(self, one: tuple[str, str], two: tuple[str, str]):
        assert layer_table(*one) != layer_table(*two)

    def test_no_layer_takes_the_table_of_anothers_claims(self):
        tables = [layer_table("a", layer) for layer in ("User", "UserClaims", "User_claims", "Userclaims")]
        assert len({*tables, *(f"{table}_claims" for table in tables)}) == 8

    @given(st.lists(st.tuples(st.from_regex(r"[a-z0-9_.-]{1,64}", fullmatch=True),
                              st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,70}", fullmatch=True)), unique=True, max_size=20))
    def test_no_two_layers_share_a_table(self, layers: list[tuple[str, str]]):
        tables = {pair: layer_table(*pair) for pair in layers}
        assert all(len(table) <= 48 and table.isidentifier() and table.islower() for table in tables.values())
        for one, first in tables.items():
            for two, second in tables.items():
                assert one == two or first != second, (one, two)


class TestKeys:
    @pytest.mark.parametrize(("value", "text"), [("a", "a"), (5, "5"), ("", None), (None, None), (" ", " ")])
    def test_the_text_of_a_key(self, value: Any, text: str | None):
        assert key_text(value) == text

    @pytest.mark.parametrize("value", [True, 1.0])
    def test_what_is_no_key(self, value: Any):
        with pytest.raises(TypeError, match="a key is text"):
            key_text(value)

    @given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=3),
           st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=3))
    def test_no_two_compound_keys_are_confused(self, one: list[str], two: list[str]):
        assert (compound(one) == compound(two)) == (one == two)

    def test_a_compound_key_with_a_gap_is_none(self):
        assert compound(["a", None]) is None
        assert compound(["a", ""]) is None

    def test_read_from_mappings_and_objects(self):
        class Row:
            id, part = 7, "x"

        assert key_reader("id", None)([{"id": "a"}, Row()]) == ["a", "7"]
        assert key_reader("id", True)([{"id": "a"}, {"id": "b"}]) == ["a", "b"]
        assert key_reader("id", True)([{"id": "a"}, {"id": ""}]) == ["a", None]
        assert key_reader(["id", "part"], False)([Row()]) == ['["7","x"]']


class TestFolding:
    def request(self, id: int, **given: Any) -> Request:
        return Request(**{"id": id, "sync": "s", "subject": "p", "account": None, "priority": 0, "reason": "",  # type: ignore[arg-type]
                          "requested_at": id * 10, **given})

    def test_many_become_one(self):
        (folded,) = fold([self.request(1, priority=1, reason="a"), self.request(2, priority=9, reason="b", account="x"),
                          self.request(3, reason="a", account="y")])
        assert (folded.priority, folded.account, folded.requested_at) == (9, "x", 10)
        assert (folded.reasons, folded.ids) == (["a", "b"], [1, 2, 3])

    def test_each_subject_of_each_sync_by_itself(self):
        folded = fold([self.request(1), self.request(2, subject="q"), self.request(3, sync="t"), self.request(4)])
        assert [(each.sync, each.subject, each.ids) for each in folded] == [
            ("s", "p", [1, 4]), ("s", "q", [2]), ("t", "p", [3])]

    def test_the_newest_reasons_are_kept(self):
        merged = merge_reasons([f"r{n}" for n in range(10)], ["", "r9", "new"])
        assert merged == [*(f"r{n}" for n in range(3, 10)), "new"]


class TestLimits:
    @pytest.mark.parametrize(("make", "fault"), [
        (lambda: Rate(0, per="second"), "more than 0"), (lambda: Rate(5, per="week"), "expected one of"),  # type: ignore[arg-type]
        (lambda: Quota(5, per="day", window="x"), "calendar"),  # type: ignore[arg-type]
        (lambda: Concurrency(0), "above 0"), (lambda: Concurrency(1.5), "whole number"),  # type: ignore[arg-type]
        (lambda: Window(total=5, headroom=5), "headroom < total"), (lambda: Window(total=5, headroom=-1), "headroom"),
    ])
    def test_what_cannot_be_is_refused(self, make: Any, fault: str):
        with pytest.raises(ConfigurationError, match=fault):
            make()

    def test_what_can(self):
        assert (Rate(5, per="second").by, Quota(1, per="day").window) == (None, "calendar")
        assert Window(total=500, headroom=0).headroom == 0


class TestErrorsAsRows:
    @given(st.text())
    def test_any_text_can_be_stored(self, text: str):
        stored = storable(text)
        stored.encode()
        assert "\0" not in stored
        assert len(stored) <= 8_002

    def test_a_long_one_keeps_its_end(self):
        assert storable("x" * 10_000 + "the end") == "… " + ("x" * 10_000 + "the end")[-8_000:]
