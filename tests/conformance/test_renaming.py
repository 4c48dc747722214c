"""A layer or sync with another name keeps all that is known of it; for the name's sake nothing is sent or deleted."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import LayerCarried, SchemaMissing, StateUnclear, Unavailable
from penstock.store import migrate
from penstock.store.carry import NAME_LAYERS
from penstock.store.statements import DIALECTS, statement
from penstock.sync import Sync
from penstock.sync.state.runs import latest_runs
from tests.clock import Clock
from tests.conformance.renaming_app import Office, Person
from tests.conformance.test_migrations import run
from tests.engine import Engine

PEOPLE = [Person(str(number), f"p{number}@example.com", f"name {number}") for number in range(5)]
USERS, PEOPLE_TABLE = "state_staff__users", "state_staff__people"


@pytest.fixture
def office(store_url: str, clock: Clock) -> Iterator[Office]:
    office = Office(store_url, clock, list(PEOPLE))
    yield office
    office.close()


def asked(engine: Engine, sync: str = "staff") -> Any:
    [run] = engine.sync(sync, "all")
    return run


def tables(office: Office) -> dict[str, Any]:
    return dict(office.clock.fetch("select layer_table, version from penstock.layers"))


def in_doubt(office: Office) -> Engine:
    """An engine whose worker was creating when it ended."""
    engine = office.engine()
    office.remote.lost = KeyboardInterrupt()
    engine.app.request([{"sync": "staff", "subject": "all", "account": "acme", "priority": 0, "reason": ""}])
    engine.dispatch()
    engine.execute(engine.claim()[0])
    return engine


def test_a_renamed_layer_keeps_its_state_and_nothing_is_sent(office: Office) -> None:
    before = office.engine()
    asked(before)
    state = before.state("Users")
    office.forget_calls()
    after = office.engine("People", was="Users")
    assert after.state("People") == state
    again = asked(after)
    assert (again.created, again.updated, again.deleted, again.skipped, office.writes()) == (0, 0, 0, 10, [])
    assert tables(office)[USERS] == -1
    assert after.app.migrate() == []
    del office.people[0]
    assert asked(after).deleted == 2  # with all that is known, deletes go on as well


def test_a_renamed_sync_keeps_state_and_history(office: Office) -> None:
    before = office.engine()
    asked(before)
    office.forget_calls()
    before.app.request([{"sync": "staff", "subject": "all", "account": "acme", "priority": 0, "reason": "before"}])
    after = office.engine("Users", "personnel", sync_was="staff")
    after.settle_all()
    runs = office.clock.fetch("select sync, status, created from penstock.sync_runs order by id")
    assert runs == [("personnel", "succeeded", 10), ("personnel", "succeeded", 0)]
    assert office.writes() == []
    assert latest_runs(after.app.store, "staff", ["all"])[0] == []


def test_both_at_once_and_several_former_names(office: Office) -> None:
    asked(office.engine())
    office.forget_calls()
    after = office.engine("Persons", "personnel", was=("People", "Users"), sync_was=("staff", "crew"))
    asked(after, "personnel")
    assert office.writes() == []


def test_shared_rows_keep_who_claims_them(office: Office) -> None:
    asked(office.engine(scope="account"))
    claims = office.clock.fetch(f"select row_id, subject from penstock.{USERS}_claims order by row_id")
    reads = office.clock.fetch("select scope, subject, began_at from penstock.sync_reads")
    office.forget_calls()
    after = office.engine("People", was="Users", scope="account")
    assert office.clock.fetch(f"select row_id, subject from penstock.{PEOPLE_TABLE}_claims order by row_id") == claims
    assert office.clock.fetch("select scope, subject, began_at from penstock.sync_reads") == reads
    asked(after)
    assert (office.writes(), len(claims)) == ([], 5)
    office.clock.advance(1)
    del office.people[0]
    asked(after)
    office.clock.advance(1)
    asked(after)
    assert len(office.remote.records) == 4


def test_what_was_being_created_is_looked_up_under_the_new_name(office: Office) -> None:
    in_doubt(office)
    after = office.engine("People", was="Users")
    after.settle_all()
    office.clock.advance(60)
    after.settle_all()
    assert sorted(record["key"] for record in office.remote.records.values()) == [each.email for each in PEOPLE]
    assert {status for status, _, _ in after.state("People").values()} == {"synced"}


def test_fields_that_changed_are_still_known(office: Office) -> None:
    asked(office.engine())
    after = office.engine("People", was="Users")
    told: list[Any] = []
    update = office.remote.update
    office.remote.update = lambda changes, run: (  # type: ignore[method-assign]
        told.extend(each.fields for each in changes) or update(changes, run))
    office.people[0] = Person("0", PEOPLE[0].email, "another name")
    asked(after)
    assert told == [("name",)]


def test_the_script_does_the_same(office: Office) -> None:
    asked(office.engine())
    office.forget_calls()
    app = office.app("People", "personnel", was="Users", sync_was="staff")
    store = office.engines[0].app.store
    script = migrate.script(store, app.layer_tables)
    assert tables(office)[USERS] > 0
    run(office.url, script)
    assert migrate.missing(store, app.layer_tables) == []
    asked(office.engine("People", "personnel", was="Users", sync_was="staff"), "personnel")
    assert office.writes() == []


class TestAnEarlierVersionOfTheApp:
    """Somebody still runs, starts or uses the app as it was before the name changed."""

    def test_a_worker_gives_its_runs_back_and_sends_nothing(self, office: Office) -> None:
        before = office.engine()
        asked(before)
        office.people.append(Person("9", "p9@example.com", "new"))
        after = office.engine("People", was="Users")
        office.forget_calls()
        given_back = asked(before)
        assert (given_back.status, given_back.error_class, given_back.attempt) == ("pending", "LayerCarried", 0)
        assert "is that of layer People of staff now" in (given_back.error or "")
        assert office.writes() == []
        office.clock.advance(10)
        after.settle_all()
        assert (asked(after).status, len(office.remote.records)) == ("succeeded", 6)

    def test_a_window_at_work_saves_and_sends_no_more(self, office: Office) -> None:
        before = office.engine(batch_size=2)
        create = office.remote.create

        def renamed_meanwhile(changes: Any, run: Any) -> Any:
            if len(office.engines) == 1:
                office.engine("People", was="Users", batch_size=2)
            return create(changes, run)

        office.remote.create = renamed_meanwhile  # type: ignore[method-assign]
        before.app.request([{"sync": "staff", "subject": "all", "account": "acme", "priority": 0, "reason": ""}])
        before.dispatch()
        before.execute(before.claim()[0])
        assert len(office.remote.records) == 2
        after = office.engines[1]
        for _ in range(2):
            after.settle_all()
            office.clock.advance(60)
        keys = sorted(record["key"] for record in office.remote.records.values())
        assert keys == [each.email for each in PEOPLE]  # those of the call under way were looked up

    def test_it_does_not_start_on_an_empty_table(self, office: Office) -> None:
        asked(office.engine())
        office.engine("People", was="Users")
        app = office.app()
        with pytest.raises(LayerCarried, match="state of layer Users of staff is that of layer People of staff now"):
            app.check()
        app.close()

    def test_it_goes_back_if_it_says_so(self, office: Office) -> None:
        asked(office.engine())
        asked(office.engine("People", was="Users"))
        office.forget_calls()
        asked(office.engine("Users", was="People"))
        assert office.writes() == []

    def test_what_it_requests_is_run_under_the_new_name_of_the_sync(self, office: Office) -> None:
        before = office.engine()
        after = office.engine("Users", "personnel", sync_was="staff")
        before.app.request([{"sync": "staff", "subject": "all", "account": "acme", "priority": 0, "reason": ""}])
        before.dispatch()
        before.serve()
        assert office.writes() == []
        before.app.request([{"sync": "staff", "subject": "all", "account": "acme", "priority": 0, "reason": ""}])
        office.clock.advance(10)
        after.settle_all()
        runs = office.clock.fetch("select sync, status, created from penstock.sync_runs order by id")
        assert runs == [("personnel", "succeeded", 10)]

    def test_a_run_of_each_name_for_one_subject_is_asked_for_again(self, office: Office) -> None:
        before = office.engine()
        office.remote.before = Unavailable("down", sent=False)
        for sync in ("staff", "personnel"):
            before.app.request([{"sync": sync, "subject": "all", "account": "acme", "priority": 0, "reason": ""}])
        before.settle_all()
        after = office.engine("Users", "personnel", sync_was="staff")
        office.clock.advance(60)
        after.settle_all()
        statuses = [status for (status,) in office.clock.fetch("select status from penstock.sync_runs order by id")]
        assert set(statuses) == {"succeeded"}
        assert len(office.remote.records) == 5


def test_rows_under_both_names_are_for_a_person_to_decide(office: Office) -> None:
    asked(office.engine())
    office.remote.records.clear()
    asked(office.engine("People"))
    app = office.app("People", was="Users")
    with pytest.raises(StateUnclear, match=re.escape(
            f"expected state under one name, got rows in {USERS} and in {PEOPLE_TABLE}: one of them is to go")):
        app.migrate()
    app.close()


@pytest.mark.parametrize("full_first", [True, False])
def test_of_two_tables_the_one_with_rows_is_kept(office: Office, full_first: bool) -> None:
    names = ["Users", "People"] if full_first else ["People", "Users"]
    asked(office.engine(names[0]))
    office.engine(names[1])
    office.forget_calls()
    asked(office.engine("People", was="Users"))
    assert office.writes() == []


def test_the_old_name_may_be_given_to_a_new_layer(office: Office) -> None:
    asked(office.engine())
    asked(office.engine("People", was="Users"))
    office.clock.fetch("insert into penstock.cursors (layer_table, scope, subject, cursor)"
                       f" values ('{USERS}', 'all', 'all', '1') returning scope")
    people, badges = (type(each.layer) for each in office.app("People").syncs["staff"].layers)
    with Penstock(office.url, now=office.clock.expression) as app:
        app.sync("staff")(type("Staff", (Sync,), {"layers": [people, badges, type("Users", (people,), {})]}))
        app.migrate()
        assert tables(office)[USERS] > 0
    assert office.clock.fetch("select scope from penstock.cursors") == []


def test_a_worker_on_postgresql_names_the_command(office: Office) -> None:
    before = office.engine()
    asked(before)
    if before.app.store.migrates_itself:
        return
    app = office.app("People", was="Users")
    with pytest.raises(SchemaMissing, match=f"lacks layer {PEOPLE_TABLE}, which was {USERS}: run `penstock migrate`"):
        app.check()
    app.close()


def test_all_that_names_a_layer_is_brought_along(office: Office) -> None:
    """A table with a column `layer_table` that is not in the list would be left behind; so would a column of a row."""
    store = office.engine().app.store
    if store.dialect == "sqlite":
        named = {table for (table,) in office.clock.fetch(
            "select m.name from sqlite_master m, pragma_table_info(m.name) c where c.name = 'layer_table'")}
        columns = [name for (name,) in office.clock.fetch(f"select name from pragma_table_info('penstock_{USERS}')")]
        named = {table.removeprefix("penstock_") for table in named}
    else:
        named = {table for (table,) in office.clock.fetch(
            "select table_name from information_schema.columns"
            " where column_name = 'layer_table' and table_schema = 'penstock'")}
        columns = [name for (name,) in office.clock.fetch(
            f"select column_name from information_schema.columns where table_name = '{USERS}'")]
    assert named == {"layers", *NAME_LAYERS}
    for dialect in DIALECTS:
        sql = statement("layer_bring", dialect, layer="x", former="y").sql
        assert all(len(re.findall(rf"\b{column}\b", sql)) >= 2 for column in columns)
