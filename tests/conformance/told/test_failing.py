"""Records that are not in order are found by subject, state, class and how a key begins, page by page."""

from itertools import product
from typing import Any

import pytest

from penstock.domain.errors import ConfigurationError, UnknownSubject
from penstock.domain.records import Rejected
from penstock.sync.telling import failing as walking
from tests.conformance.sync_app import Directory
from tests.engine import Engine

Found = list[tuple[str, str, str, str]]


def pages(engine: Engine, limit: int = 2, **asked: Any) -> Found:
    """(layer, scope, status, key) of all pages."""
    found: Found = []
    after = None
    while True:
        page = engine.app.failing("directory", after=after, limit=limit, **asked)
        assert len(page.records) <= limit
        found += [(each.row.layer, each.row.scope, each.row.status, each.row.key) for each in page.records]
        after = page.next
        if after is None:
            return found


@pytest.fixture
def broken(engine: Engine, directory: Directory) -> Engine:
    """Two groups, each with two people that are refused, so that their memberships are blocked."""
    directory.groups["g2"] = {f"q{number}": f"other {number}" for number in range(3)}
    for key in ("p1", "p5", "q0", "q2"):
        directory.people.refused[key] = Rejected("invalid" if key < "p3" else "taken", f"{key} will not do")
    engine.sync("directory", "g1", "g2")
    return engine


def test_all_are_found_in_the_order_of_layers_scopes_states_and_keys(broken: Engine) -> None:
    found = pages(broken)
    assert [key for layer, *_, key in found if layer == "Everybody"] == ["p1", "p5", "q0", "q2"]
    assert [(scope, status, key) for layer, scope, status, key in found if layer == "Members"] == [
        ("g1", "blocked", '["g1","p1"]'), ("g1", "blocked", '["g1","p5"]'),
        ("g2", "blocked", '["g2","q0"]'), ("g2", "blocked", '["g2","q2"]')]
    assert len(found) == 8


def test_each_filter_gives_what_it_gives_by_hand(broken: Engine) -> None:
    everything = pages(broken, 50)
    rows = {row.row.key: row for row in broken.app.failing("directory").records}
    for limit, status, begins, subject in product((1, 3), (None, "failed", "blocked", "in_doubt"),
                                                  ("", "p", "p5", '["g2"', "z"), (None, "g1", "g2")):
        expected = [each for each in everything if status in (None, each[2]) and each[3].startswith(begins)
                    and (subject is None or each[1] in (subject, "acme"))]
        assert pages(broken, limit, status=status, begins=begins, subject=subject) == expected
    assert pages(broken, layer="Members") == [each for each in everything if each[0] == "Members"]
    taken = rows["p5"].error_class
    assert [key for *_, key in pages(broken, error_class=taken)] == ["p5", "q0", "q2"]
    assert [key for *_, key in pages(broken, error_class="invalid")] == ["p1"]


def test_a_record_says_whose_run_met_it_last(broken: Engine) -> None:
    found = {each.row.key: each for each in broken.app.failing("directory", layer="Everybody").records}
    assert (found["p1"].subject, found["q0"].subject) == ("g1", "g2")
    assert (found["p1"].row.error_class, found["p1"].row.error) == ("invalid", "p1 will not do")


def test_a_page_looks_at_no_more_than_so_many_places_and_goes_on_from_there(
    broken: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "_PLACES", 1)
    page = broken.app.failing("directory", begins="q")
    assert page.looked
    assert page.next is not None
    assert [key for *_, key in pages(broken, begins="q")] == ["q0", "q2"]


def test_what_is_in_order_is_not_there(engine: Engine) -> None:
    engine.sync("directory", "g1")
    assert engine.app.failing("directory").records == []
    assert engine.app.error_classes("directory", subject="g1") == []


@pytest.mark.parametrize(("asked", "error", "fault"), [
    ({"layer": "Persons"}, ConfigurationError, "expected one of its layers"),
    ({"status": "fialed"}, ConfigurationError, "did you mean 'failed'"),
    ({"subject": "nobody"}, UnknownSubject, "nobody"),
    ({"after": "here"}, ConfigurationError, "the last page gave"),
])
def test_what_cannot_be_asked_is_said(engine: Engine, asked: dict[str, Any], error: type[Exception],
                                      fault: str) -> None:
    with pytest.raises(error, match=fault):
        engine.app.failing("directory", **asked)


def test_classes_are_of_a_bounded_number_of_records(broken: Engine) -> None:
    classes = {each.code: each.count for each in broken.app.error_classes("directory") if each.layer == "Everybody"}
    assert classes == {"taken": 3, "invalid": 1}
    assert sum(each.count for each in broken.app.error_classes("directory", most=1)) < 8


def test_a_class_is_retried_by_the_runs_of_its_subjects(broken: Engine, directory: Directory) -> None:
    directory.people.refused.clear()
    due = broken.app.retry("directory", error_class="taken", layer="Everybody")
    assert (due.count, sorted(due.subjects)) == (3, ["g1", "g2"])
    broken.settle_all()
    assert [key for layer, *_, key in pages(broken) if layer == "Everybody"] == ["p1"]
    with pytest.raises(ConfigurationError, match="say which records"):
        broken.app.retry("directory")
