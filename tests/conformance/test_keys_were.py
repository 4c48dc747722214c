"""A layer whose key becomes another field: its records keep their remote ids, and none is created or deleted for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.domain.errors import LayerCarried, StateUnclear
from penstock.domain.records import Rejected
from penstock.sync.serving.preview import preview
from tests.clock import Clock
from tests.conformance.renaming_app import Office, Person
from tests.conformance.test_renaming import asked, in_doubt
from tests.engine import Engine

PEOPLE = [Person(str(number), f"p{number}@example.com", f"name {number}") for number in range(5)]


@pytest.fixture
def office(store_url: str, clock: Clock) -> Iterator[Office]:
    office = Office(store_url, clock, list(PEOPLE))
    yield office
    office.close()


def rekeyed(office: Office, **options: Any) -> Engine:
    office.forget_calls()
    return office.engine(key="number", key_was="email", by="number", **options)


def ids(engine: Engine, layer: str = "Users") -> dict[str, str | None]:
    return {key: remote_id for key, (_, remote_id, _) in engine.state(layer).items()}


def test_rows_move_to_the_new_keys_and_nothing_is_sent(office: Office) -> None:
    before = office.engine()
    asked(before)
    known = ids(before)
    after = rekeyed(office)
    run = asked(after)
    assert (run.created, run.updated, run.deleted, run.skipped, office.writes()) == (0, 0, 0, 10, [])
    assert ids(after) == {each.number: known[each.email] for each in PEOPLE}
    parents = office.clock.fetch("select key, parent_key from penstock.state_staff__badges order by key")
    assert parents == [(f"b{each.number}", each.number) for each in PEOPLE]


def test_once_all_have_moved_no_page_is_looked_at_for_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(office.engine())
    after = rekeyed(office)
    asked(after)
    monkeypatch.setattr("penstock.sync.planning.moving._move", None)
    assert asked(after).status == "succeeded"


def test_what_changes_or_leaves_or_comes_at_the_same_time_is_only_that(office: Office) -> None:
    asked(office.engine())
    office.people[:2] = [Person("0", PEOPLE[0].email, "another name")]
    office.people.append(Person("7", "p7@example.com", "new"))
    after = rekeyed(office)
    run = asked(after)
    assert (run.created, run.updated, run.deleted) == (2, 1, 2)
    assert sorted(ids(after)) == ["0", "2", "3", "4", "7"]




def test_old_and_new_keys_may_have_the_same_values(office: Office) -> None:
    office.people = [Person("2", "1", "A"), Person("1", "2", "B"), Person("3", "3", "C")]
    before = office.engine()
    asked(before)
    known = ids(before)
    after = rekeyed(office)
    asked(after)
    assert office.writes() == []
    assert ids(after) == {"2": known["1"], "1": known["2"], "3": known["3"]}


def test_failed_and_in_doubt_records_keep_what_is_known_of_them(office: Office) -> None:
    office.remote.refused[PEOPLE[1].email] = Rejected("bad", "no")
    asked(office.engine())
    after = rekeyed(office)
    asked(after)
    assert after.state("Users")["1"] == ("failed", None, "bad")
    assert [keys for verb, keys in office.remote.calls] == []  # it waits as before


def test_what_was_being_created_is_found_under_the_new_keys(office: Office) -> None:
    in_doubt(office)
    after = rekeyed(office, match="email")
    for remote in office.remote.records.values():
        remote["match"] = remote["key"]
    after.settle_all()
    office.clock.advance(60)
    after.settle_all()
    assert len(office.remote.records) == 5
    assert sorted(ids(after)) == [each.number for each in PEOPLE]
    assert {status for status, _, _ in after.state("Users").values()} == {"synced"}


def test_shared_rows_move_with_whoever_reads_them(office: Office) -> None:
    asked(office.engine(scope="account"))
    after = rekeyed(office, scope="account")
    asked(after)
    assert (office.writes(), sorted(ids(after))) == ([], [each.number for each in PEOPLE])
    rows = office.clock.fetch("select count(*) from penstock.state_staff__users_claims")
    assert rows == [(5,)]


def test_a_plan_shows_nothing_and_writes_nothing(office: Office) -> None:
    asked(office.engine())
    after = rekeyed(office)
    kept = ids(after)
    definition = after.app.definition("staff")
    with preview(after.app.store, definition, after.app.subject("staff", "all")) as plans:
        shown = [plan.summary() for plan in plans]
    assert [{kind: count for kind, count in each.items() if count} for each in shown] == [{"skip": 5}, {"skip": 5}]
    assert ids(after) == kept


def test_a_key_field_that_only_has_another_name_needs_nothing(office: Office) -> None:
    """Its values are the same; whatever spared reading is asked again."""
    office.people = [Person(each.email, each.email, each.name) for each in PEOPLE]
    asked(office.engine())
    office.forget_calls()
    reads = office.read
    run = asked(office.engine(key="number"))
    assert (run.skipped, office.writes(), office.read) == (10, [], reads + 1)


def test_rows_that_have_the_new_keys_already_keep_them(office: Office) -> None:
    """In a store that never noted the fields of keys, some rows may have been made under the new ones."""
    asked(office.engine(key="number", by="number"))
    office.clock.fetch("update penstock.layers set keys = null returning layer_table")
    after = rekeyed(office)
    asked(after)
    assert (office.writes(), sorted(ids(after))) == ([], [each.number for each in PEOPLE])


def test_together_with_another_name(office: Office) -> None:
    asked(office.engine())
    office.forget_calls()
    after = office.engine("People", "personnel", was="Users", sync_was="staff", key="number", key_was="email",
                          by="number")
    asked(after, "personnel")
    assert (office.writes(), sorted(ids(after, "People"))) == ([], [each.number for each in PEOPLE])


def test_an_earlier_version_of_the_app_sends_nothing(office: Office) -> None:
    before = office.engine()
    asked(before)
    after = rekeyed(office)
    given_back = asked(before)
    assert (given_back.status, given_back.error_class, office.writes()) == ("pending", "LayerCarried", [])
    app = office.app()
    with pytest.raises(LayerCarried, match="the keys of layer Users of staff are number now, and were email"):
        app.migrate()
    app.close()
    office.clock.advance(10)
    after.settle_all()
    assert office.writes() == []


def test_a_former_key_that_is_not_the_one_of_the_rows(office: Office) -> None:
    asked(office.engine())
    app = office.app(key="number", key_was="name")
    with pytest.raises(StateUnclear, match="key_was says name, and the rows of its state have the keys email"):
        app.migrate()
    app.close()
