"""Identical errors are one class; one word sends its records again."""

from typing import Any

import pytest

from penstock.domain.errors import ConfigurationError
from penstock.domain.records import Subject
from penstock.sync import Rejected
from penstock.sync.state.failures import ErrorClass, error_classes
from penstock.sync.state.retrying import Retried, none_found, which
from penstock.sync.state.retrying import retry as make_due
from tests.conformance.applying.conftest import Opened, Post
from tests.conformance.applying.depot import Depot
from tests.conformance.sync_app import Directory
from tests.engine import Engine


def classes(engine: Engine, name: str = "parcels", *subjects: Subject) -> list[ErrorClass]:
    return error_classes(engine.app.store, engine.app.definition(name), subjects, most=1000).classes


def retry(engine: Engine, name: str = "parcels", **asked: Any) -> Retried:
    """Made due without a word to whoever serves runs: a test says itself when there is one."""
    app = engine.app
    wanted = which(app.definition(name), **asked)
    done = make_due(app.store, app.definition(name), wanted, lambda _: None)
    if not done.count:
        raise none_found(app.definition(name), wanted, done.known)
    assert done.over
    return done


@pytest.fixture
def failing(post: Opened) -> Post:
    """30 parcels that are too heavy, each by another weight; one for nowhere, one that is lost, one that is fine."""
    rejected = {f"p{n}": Rejected("too_heavy", f"parcel {n} weighs {n * 3} kg, 'p{n}' may weigh 2") for n in range(30)}
    depot = Depot(rejected={**rejected, "q": Rejected("bad_address", "nowhere"), "lost": None})
    depot.mislays = lambda outcomes: [None if outcome == Rejected("lost") else outcome for outcome in outcomes]
    depot.rejected["lost"] = Rejected("lost")
    return post(depot, *rejected, "q", "lost", "fine")


def test_identical_errors_are_one_class(failing: Post) -> None:
    assert classes(failing) == []
    began = failing.clock.now_ms
    failing.run()
    failing.clock.advance(10)
    heavy, *others = found = classes(failing)
    assert [(each.code, each.count, each.status) for each in found] == [
        ("too_heavy", 30, "failed"), ("bad_address", 1, "failed"), ("no_answer", 1, "in_doubt")]
    assert heavy.name.startswith("too_heavy-")
    assert len({each.name for each in found}) == 3
    assert heavy.keys == ["p0", "p1", "p10"]
    assert (heavy.first_at, heavy.last_at, heavy.retry_at) == (began, began, began + 60_000)
    assert "may weigh 2" in heavy.message
    assert [each.retry_at for each in others] == [began + 60_000, None]


def test_first_and_last_are_those_of_its_records(failing: Post) -> None:
    failing.run()
    failing.clock.advance(100)
    failing.parcels.put("p3", weight=9)
    failing.depot.rejected = {key: value for key, value in failing.depot.rejected.items() if key == "p3"}
    first = classes(failing)[0].first_at
    failing.parcels.parcels = {"p3": failing.parcels.parcels["p3"]}
    failing.run()
    heavy = next(each for each in classes(failing) if each.code == "too_heavy")
    assert heavy.last_at - first == 100_000


def test_one_class_is_sent_again_and_no_other(failing: Post) -> None:
    failing.run()
    failing.depot.calls.clear()
    heavy = classes(failing)[0]
    failing.depot.rejected = {"q": failing.depot.rejected["q"]}
    due = retry(failing, error_class=heavy.name)
    assert (due.count, due.layers, due.subjects) == (30, {"Post"}, {"depot": None})
    run = failing.run()
    assert (run.created, run.failed) == (30, 2)
    assert [each.code for each in classes(failing)] == ["bad_address", "no_lookup"]
    assert not any("q" in keys for keys in failing.depot.writes)


def test_a_code_names_all_classes_of_it(post: Opened) -> None:
    engine = post(Depot(rejected={"a": Rejected("bad", "one thing"), "b": Rejected("bad", "another")}), "a", "b")
    engine.run()
    assert len(classes(engine)) == 2
    assert retry(engine, error_class="bad").count == 2


def test_single_keys_of_a_layer(failing: Post) -> None:
    failing.run()
    failing.depot.rejected.clear()
    assert retry(failing, layer="Post", keys={"p1", "p2"}).count == 2
    assert failing.run().created == 2


@pytest.mark.parametrize(("asked", "message"), [
    ({"error_class": "too_hevy"}, "no record of class 'too_hevy' of parcels failed; did you mean 'too_heavy-"),
    ({"layer": "Pst"}, "parcels has no layer 'Pst'; did you mean 'Post'?"),
    ({"layer": "Post", "keys": ["fine"]}, "no record in Post with the keys fine of parcels failed; `penstock failed"),
])
def test_what_matches_nothing_is_said(failing: Post, asked: dict[str, object], message: str) -> None:
    failing.run()
    with pytest.raises(ConfigurationError) as raised:
        retry(failing, **asked)
    assert message in str(raised.value)


def test_a_retry_does_not_let_a_doubt_be_forgotten(failing: Post) -> None:
    failing.run()
    due = retry(failing, layer="Post", keys=["lost"])
    assert due.count == 1
    failing.run()
    assert sum("lost" in keys for keys in failing.depot.writes) == 1
    assert failing.rows("status")["lost"] == ("in_doubt",)


class TestOfAnAccount:
    """In an account-scoped layer the run that met a record last says which subject to request."""

    @pytest.fixture
    def shared(self, engine: Engine, directory: Directory) -> Engine:
        directory.groups["g2"] = {"p2": "name 2", "p8": "name 8"}
        directory.people.refused["p8"] = Rejected("no", "not today")
        engine.sync("directory", "g1", "g2")
        return engine

    def test_the_subject_that_met_it_is_requested(self, shared: Engine) -> None:
        due = retry(shared, "directory", layer="Everybody")
        assert (due.count, due.subjects) == (1, {"g2": "acme"})

    def test_all_of_the_account_where_no_run_is_known(self, shared: Engine) -> None:
        table = next(item.state for item in shared.app.layer_tables if item.layer == "Everybody")
        name = f"penstock_{table}" if "sqlite" in str(shared.app.settings.url) else f"penstock.{table}"
        shared.clock._connection.execute(f"update {name} set run_id = null")
        due = retry(shared, "directory", layer="Everybody")
        assert due.subjects == {"g1": "acme", "g2": "acme"}

    def test_those_of_a_subject_are_of_its_account_and_its_own(self, shared: Engine) -> None:
        found = classes(shared, "directory", Subject("g1", account="acme"))
        assert [(each.layer, each.status) for each in found] == [("Everybody", "failed")]
        found = classes(shared, "directory", Subject("g2", account="acme"))
        assert {(each.layer, each.status, each.code) for each in found} == {
            ("Everybody", "failed", "no"), ("Members", "blocked", "parent_failed")}
