"""Options of runs: what means the same is written the same, and nothing is overlooked."""

import pytest

from penstock.domain.folding import Request, fold
from penstock.domain.keys import typed_key
from penstock.domain.options import RunOptions, Target


def test_an_ordinary_run_has_none():
    assert RunOptions().text == RunOptions.of().text == ""
    assert RunOptions.read("") == RunOptions()


def test_what_means_the_same_is_written_the_same():
    one = RunOptions.of(True, [Target("B", "2"), Target("A"), Target("A", "x"), Target("B", "1"), Target("B", "1")])
    two = RunOptions.of(True, [Target("B", "1"), Target("B", "2"), Target("A")])
    assert one == two
    assert one.text == '{"full":true,"only":[["A",null],["B","1"],["B","2"]]}'
    assert RunOptions.read(one.text) == one
    assert str(one) == "everything again, only A, only B:1, only B:2"


def test_a_layer_as_a_whole_or_by_keys_or_not_at_all():
    options = RunOptions.of(only=[Target("A"), Target("B", "1")])
    assert [options.has(name) for name in "ABC"] == [True, True, False]
    assert (options.keys("A"), options.keys("B")) == (None, frozenset({"1"}))
    assert RunOptions.of(True).has("C")


@pytest.mark.parametrize("text", ['{"gently":true}', '{"only":[["A","1",2]]}', "[]", "nonsense"])
def test_what_is_not_known_is_refused(text: str):
    with pytest.raises(ValueError, match="."):
        RunOptions.read(text)


def test_requests_of_other_options_do_not_fold():
    rows = [Request(id, "s", "p", None, id, "", 0, options) for id, options in enumerate(["", "x", "", "x", "y"])]
    assert [(each.options, each.ids, each.priority) for each in fold(rows)] == [
        ("", [0, 2], 2), ("x", [1, 3], 3), ("y", [4], 4)]


@pytest.mark.parametrize(("fields", "text", "key"), [
    ("id", "E1,042", "E1,042"), ("id", "[1]", "[1]"), (("a", "b"), "1,x", '["1","x"]'),
    (("a", "b"), '["1", "x"]', '["1","x"]'), (("a", "b"), '[1, "x,y"]', '["1","x,y"]'), (("a",), "1", '["1"]'),
])
def test_a_key_is_typed_as_people_type_it(fields: str | tuple[str, ...], text: str, key: str):
    assert typed_key(fields, text) == key


@pytest.mark.parametrize("text", ["1", "1,2,3", '["1"]', '["1",', "1,", '[1, null]', "[1, [2]]"])
def test_a_key_that_is_none_says_what_was_expected(text: str):
    with pytest.raises(ValueError, match="expected the 2 values of a, b, as a JSON array or with commas between"):
        typed_key(("a", "b"), text)
