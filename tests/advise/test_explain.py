"""Explaining on a real PostgreSQL: real values, real limits, and whatever is wrong is said in words."""

from collections.abc import Iterator

import psycopg
import pytest

from penstock.advise.asking.binding import Mismatch, bind
from penstock.advise.asking.database import CannotExplain, Limits
from penstock.advise.asking.keeping import PlansKept
from penstock.advise.asking.opening import open_examined
from penstock.advise.asking.options import Options
from penstock.advise.asking.postgres.connection import connect, reading
from penstock.advise.judging.examining import Examination, examine
from penstock.advise.session import advise
from penstock.domain.plans import walk
from penstock.domain.traces import StatementSeen
from penstock.events import Event, PlanFlipped
from penstock.events.telling import Events
from penstock.store import migrate
from penstock.store.open import open_store
from tests.advise.databases import BATCH, BIG, batches, everything, seen

LIMITS = Limits(role=None)


def examined(url: str, statement: StatementSeen, *, analyse: bool = False) -> Examination:
    with open_examined(url, LIMITS) as database:
        return examine(database, statement, analyse=analyse)


def test_plans_are_those_of_the_values_and_the_trap_is_named(trap_url: str):
    found = examined(trap_url, batches())
    assert [plan.parameters for plan in found.plans] == ["first", "middle", "last"]
    assert found.plans[0].root.children[0].index == "records_pkey"
    assert found.trap is not None
    assert (found.trap.table, found.trap.index, found.trap.measured) == ("records", "records_pkey", False)
    assert found.flipped is not None
    assert found.flipped.startswith("the plan depends on the values: one for first")


def test_the_most_common_values_are_asked_about_as_well(trap_url: str):
    small, common = examined(trap_url, seen(BATCH, (7, 0))).plans
    assert (small.parameters, common.parameters) == ("first", "common")
    assert common.root.children[0].index == "records_pkey"
    assert small.root.cost is not None
    assert common.root.cost is not None
    assert common.root.cost < small.root.cost


def test_what_is_allowed_to_run_measures_the_trap(trap_url: str):
    found = examined(trap_url, batches(), analyse=True)
    assert found.trap is not None
    assert found.trap.measured
    assert found.trap.looked_at > 100
    assert "did look at" in str(found.trap)


def test_constants_are_left_out_of_plans_unless_allowed(trap_url: str):
    (plan, *_) = examined(trap_url, batches()).plans
    assert "pending" not in plan.text
    with open_examined(trap_url, Limits(role=None, redact=False)) as database:
        (plan, *_) = examine(database, batches()).plans
    assert "'pending'" in plan.text


def test_parameters_that_were_not_kept_are_taken_from_statistics(trap_url: str):
    text = "select id from records where status = %s and client_id = %s order by id limit 5"
    found = examined(trap_url, seen(text, ("pending", BIG)))
    assert found.plans
    assert "records.status was not kept: its most common value stands in" in found.notes


def test_texts_of_the_statement_that_were_not_kept_are_told(trap_url: str):
    found = examined(trap_url, seen("select id from records where status = '…' and client_id = 3"))
    assert found.plans
    assert any("'…' in their place" in note for note in found.notes)
    found = examined(trap_url, seen("select id from records where status = '…' order by id limit 0"))
    assert found.plans == ()
    assert any("none of its own values was kept" in note for note in found.notes)


def test_without_common_values_one_from_the_middle_stands_in(trap_url: str):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create table letters (id bigint primary key, subject text)")
        connection.execute("insert into letters select n, 'subject ' || n from generate_series(1, 1000) as n")
        connection.execute("analyze letters")
    try:
        found = examined(trap_url, seen("select id from letters where subject = %s", ("a letter of last year",)))
        assert found.plans
        assert found.notes == ("letters.subject was not kept: one from the middle of its values stands in",)
    finally:
        with psycopg.connect(trap_url, autocommit=True) as connection:
            connection.execute("drop table letters")


def test_without_samples_all_values_are_the_most_common_ones(trap_url: str):
    found = examined(trap_url, seen("select id from records where client_id = %(client)s and status = %(status)s"))
    assert [plan.parameters for plan in found.plans] == ["common"]


@pytest.mark.parametrize(("text", "parameters", "said"), [
    ("select id from records where upper(payload) = %s", [("x" * 5,)], "no statistics of its column can stand in"),
    ("select id from records where id = %s limit %s", [], "no execution was kept"),
    ("selekt 1", [()], "it does not parse"),
    ("select id from records where client_id = %s and id = %s", [(5,)], "expected a value for the placeholder"),
    ("select id from nowhere", [()], "there is no such table in this database"),
    ("select nothing from records", [()], 'column "nothing" does not exist'),
    ("select id from records where client_id = %s", [("not a number" * 100,)], ""),
])
def test_what_cannot_be_explained_says_why(trap_url: str, text: str, parameters: list[tuple[object, ...]], said: str):
    (found,) = advise([seen(text, *parameters)], trap_url, options=Options(role=None))
    assert said in "\n".join(found.notes), found.notes
    assert found.first is None


@pytest.fixture
def secret_url(trap_url: str) -> Iterator[str]:
    """The same, with a role that may read less."""
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create schema hidden; create table hidden.plans (id integer);"
                           " create table secrets (id integer primary key, what text);"
                           " create role penstock_reader; grant usage on schema public to penstock_reader;"
                           " grant select on records to penstock_reader")
        yield trap_url
        connection.execute("drop owned by penstock_reader; drop role penstock_reader")


@pytest.mark.parametrize(("text", "table"), [
    ("select * from secrets where id = 1", "public.secrets"), ("select * from hidden.plans", "hidden.plans"),
])
def test_a_table_that_the_role_may_not_read_is_said(secret_url: str, text: str, table: str):
    (found,) = advise([seen(text, ())], secret_url, options=Options(role="penstock_reader"))
    assert any(f"penstock_reader may not read it: GRANT SELECT ON {table}" in note for note in found.notes)
    assert found.plans == ()


def test_the_role_is_taken_and_can_write_nothing(secret_url: str):
    with open_examined(secret_url, Limits(role="penstock_reader")) as database:
        assert database.notes == ()
        assert examine(database, batches()).plans
    connection = connect(secret_url)
    with connection, reading(connection, LIMITS, "penstock_reader") as inside:
        assert inside.execute("select current_user::text, current_setting('transaction_read_only')").fetchone() == (
            "penstock_reader", "on")
        with pytest.raises(psycopg.errors.Error, match="permission denied|read-only"):
            inside.execute("delete from records")


def test_a_role_that_is_not_there_is_told_and_not_missed(trap_url: str):
    with open_examined(trap_url, Limits(role="penstock_nobody")) as database:
        assert "there is no role penstock_nobody" in database.notes[0]
        assert examine(database, batches()).plans


def test_views_and_partitions_are_described_with_what_they_consist_of(trap_url: str):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create view waiting as select id, client_id from records where status = 'pending';"
                           " create table parted (id integer, at date) partition by range (at);"
                           " create table parted_a partition of parted"
                           " for values from ('2026-01-01') to ('2027-01-01');"
                           " insert into parted select n, '2026-05-05' from generate_series(1, 100) n;"
                           " create index on parted (id)")
        connection.execute("analyze parted")
        connection.execute("analyze parted_a")
    with open_examined(trap_url, LIMITS) as database:
        schema = database.schema([(None, "waiting"), ("public", "parted")])
    kinds = {table.name: table.kind for table in schema.tables}
    assert kinds == {"waiting": "view", "parted": "partitioned", "records": "table"}
    parted = schema.table("parted")
    assert parted is not None
    assert (parted.rows, parted.partitions) == (100, ("public.parted_a",))
    assert [index.keys[0].column for index in parted.indexes] == ["id"]
    found = examined(trap_url, seen("select id from waiting where client_id = %s order by id limit 5", (BIG,)))
    assert any(node.table == "records" for plan in found.plans for node in walk(plan.root))


def test_a_table_without_statistics_is_said(trap_url: str):
    with psycopg.connect(trap_url, autocommit=True) as connection:
        connection.execute("create table fresh (id integer primary key, kind text)")
    found = examined(trap_url, seen("select id from fresh where kind = 'x'", ()))
    assert "public.fresh (statistics): it was never analysed, so the planner guesses: run ANALYZE fresh" in found.notes


def test_a_statement_that_takes_too_long_is_stopped(trap_url: str):
    slow = "select count(*) from records a, records b where a.id + b.id = 5"
    with open_examined(trap_url, Limits(role=None, statement_ms=50)) as database:
        with pytest.raises(CannotExplain, match="longer than the 50 ms"):
            database.explain(bind(slow, None, "postgres"), analyse=True)
        assert database.explain(bind(slow, None, "postgres"))


def test_a_table_that_somebody_holds_is_not_waited_for(trap_url: str):
    with psycopg.connect(trap_url) as other:
        other.execute("lock table records in access exclusive mode")
        with (open_examined(trap_url, Limits(role=None, lock_ms=20)) as database,
              pytest.raises(CannotExplain, match="somebody holds a lock")):
            database.explain(bind("select 1 from records", None, "postgres"))


def test_a_flip_is_an_event(trap_url: str, own_url: str):
    heard: list[Event] = []
    events = Events()
    events.listen(heard.append)
    store = open_store(own_url)
    migrate.migrate(store, [])
    kept = PlansKept(store, events)
    statement = seen(BATCH, (BIG, 0))
    with open_examined(trap_url, LIMITS) as database:
        assert examine(database, statement, kept=kept).flipped is None or not heard
        heard.clear()
        with psycopg.connect(trap_url, autocommit=True) as connection:
            connection.execute("create index better on records (client_id, status, id)")
        flipped = examine(database, statement, kept=kept).flipped
    assert flipped is not None
    assert "became Index Scan using better on records" in flipped
    assert [type(event) for event in heard] == [PlanFlipped]
    store.close()


def test_explaining_changes_nothing(trap_url: str):
    before = everything(trap_url)
    examined(trap_url, batches(), analyse=True)
    assert everything(trap_url) == before


@pytest.mark.parametrize(("text", "values", "bound", "given"), [
    ("select %s, %s", (1, 2), "select $1, $2", (1, 2)),
    ("select %(a)s, %(b)s, %(a)s", {"a": 1, "b": 2}, "select $1, $2, $1", (1, 2)),
    ("select $2, $1", (1, 2), "select $1, $2", (2, 1)),
    ("select 1 where id in %s", ((1, 2),), "select 1 where id in ($1, $2)", (1, 2)),
    ("select 1 where id = any(%s)", ([1, 2],), "select 1 where id = any($1)", ([1, 2],)),
    ("select '?' like 'a%%' and x = %s", (1,), "select '?' like 'a%' and x = $1", (1,)),
    ("select 5 % 3", None, "select 5 % 3", ()),
])
def test_placeholders_of_any_driver_become_numbers(text: str, values: object, bound: str, given: tuple[object, ...]):
    found = bind(text, values, "postgres")  # type: ignore[arg-type]
    assert (found.numbered, found.values) == (bound, given)


def test_a_missing_value_is_said():
    with pytest.raises(Mismatch, match="expected a value for the placeholder"):
        bind("select %s, %s", (1,), "postgres")
