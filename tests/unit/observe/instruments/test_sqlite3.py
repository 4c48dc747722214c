"""sqlite3: connections that are made from now on tell of their statements, and of what is fetched."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.domain.parameters import values
from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.trace import OTHER, QUERIED, Trace
from penstock.store.spool import Spool
from tests.phases import phases_add_up
from tests.unit.observe.instruments.conftest import statement, statements, traced

SERIES = "with recursive t (n) as (select 1 union all select n + 1 from t where n < ?) select n from t"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    instrument("sqlite3")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table item (id integer primary key, name text)")
        yield connection


def test_it_tells_calls_rows_parameters_and_the_callers_line(connection: Any, trace: Trace, tmp_path: Path) -> None:
    for most in (3, 5):
        assert len(connection.execute(SERIES, (most,)).fetchall()) == most
    seen = statement(trace)
    assert (seen.text, seen.driver, seen.calls, seen.rows, seen.at_most_one) == (SERIES, "sqlite3", 2, 8, 0)
    assert seen.database == f"sqlite:///{tmp_path / 'shop.db'}"
    assert [values(sample.parameters) for sample in seen.samples] == [[3], [5]]
    assert [(site.file, site.calls) for site in seen.sites] == [(__file__, 2)]


def test_what_fetches_take_counts_for_the_statement(connection: Any) -> None:
    with traced() as trace:
        assert sum(n for (n,) in connection.execute(SERIES, (2000,))) == 2_001_000
    seen = statement(trace)
    assert seen.rows == 2000
    assert seen.total_us == pytest.approx(trace.phases[QUERIED] / 1000, abs=5)
    assert phases_add_up([ns // 1000 for ns in trace.phases], trace.took_ns // 1000)


def test_each_way_to_fetch_counts(connection: Any, trace: Trace) -> None:
    cursor = connection.execute(SERIES, (10,))
    assert cursor.fetchone() == (1,)
    assert len(cursor.fetchmany(3)) == 3
    assert next(cursor) == (5,)
    assert len(cursor.fetchmany(size=2)) == 2
    assert len(cursor.fetchall()) == 3
    assert cursor.fetchone() is None
    assert (statement(trace).rows, statement(trace).at_most_one) == (10, 0)


def test_one_row_or_none_is_told_as_such(connection: Any, trace: Trace) -> None:
    for name in ("x", "y"):
        connection.execute("insert into item (name) values (?)", (name,))
    for most in (1, 2, 3):
        connection.execute("select name from item where id = ?", (most,)).fetchone()
    _, selected = statements(trace)
    assert (selected.calls, selected.rows, selected.at_most_one) == (3, 2, 3)


def test_what_it_writes_counts_as_rows(connection: Any, trace: Trace) -> None:
    connection.executemany("insert into item (name) values (?)", (("x",) for _ in range(4)))
    connection.execute("update item set name = :name", {"name": "y"})
    connection.executescript("delete from item where id = 1; delete from item where id = 2")
    connection.execute("create table more (id integer)")
    inserted, updated, deleted, created = statements(trace)
    assert (inserted.calls, inserted.rows, values(inserted.samples[0].parameters)) == (1, 4, ["x"])
    assert (updated.rows, values(updated.samples[0].parameters)) == (4, {"name": "y"})
    assert (deleted.calls, created.rows) == (1, 0)


def test_ends_of_transactions_are_told(connection: Any, trace: Trace) -> None:
    insert = "insert into item (name) values ('x')"
    connection.execute(insert)
    connection.commit()
    connection.commit()  # nothing to end
    connection.execute(insert)
    connection.rollback()
    with connection:
        connection.execute(insert)
    with pytest.raises(ZeroDivisionError), connection:
        divmod(connection.execute(insert).rowcount, 0)
    assert {seen.text: seen.calls for seen in statements(trace)} == {insert: 4, "COMMIT": 2, "ROLLBACK": 2}


def test_an_error_is_counted_and_passes_as_it_is(connection: Any, trace: Trace) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        connection.execute("select * from nowhere")
    with pytest.raises(TypeError):
        connection.execute()
    assert (statement(trace).calls, statement(trace).failed) == (1, 1)
    assert trace._entered == [OTHER]


@pytest.mark.filterwarnings("ignore:Passing more than 1 positional argument:DeprecationWarning")
def test_classes_of_the_users_own_stay_in_charge(tmp_path: Path, trace: Trace) -> None:
    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *args: Any) -> "Cursor":
            super().execute(sql.replace("%s", "?"), *args)
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    instrument("sqlite3")
    with closing(sqlite3.connect(tmp_path / "shop.db", factory=Connection)) as connection:
        assert isinstance(connection, Connection)
        assert isinstance(connection.cursor(), Cursor)
        assert isinstance(connection.cursor(factory=Cursor), Cursor)
        assert connection.cursor().execute("select %s", (1,)).fetchone() == (1,)
    with closing(sqlite3.connect(tmp_path / "shop.db", 5.0, 0, None, True, Connection)) as connection:
        assert isinstance(connection, Connection)
    assert (statement(trace).text, statement(trace).calls) == ("select ?", 1)


def test_a_class_that_cannot_be_derived_from_is_left_alone(trace: Trace) -> None:
    class Final(sqlite3.Connection):
        def __init_subclass__(cls) -> None:
            raise RuntimeError("there is to be no other")

    instrument("sqlite3")
    with closing(sqlite3.connect(":memory:", factory=Final)) as connection:
        assert type(connection) is Final
        connection.execute("select 1")
    assert not trace.statements


def test_a_file_that_cannot_be_opened_is_tried_once(tmp_path: Path, trace: Trace) -> None:
    instrument("sqlite3")
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite3.connect(tmp_path / "nowhere" / "shop.db")
    assert raised.value.__context__ is None


def test_connections_that_were_there_before_tell_nothing(tmp_path: Path, trace: Trace) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        instrument("sqlite3")
        connection.execute("select 1")
    assert not trace.statements


def test_removed_it_leaves_even_its_own_connections_as_they_were(tmp_path: Path, trace: Trace) -> None:
    before = sqlite3.connect, sqlite3.dbapi2.connect
    instrument("sqlite3")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        uninstrument("sqlite3")
        connection.execute("select 1").fetchone()
        assert type(connection).execute is sqlite3.Connection.execute
        assert type(connection).commit is sqlite3.Connection.commit
    assert (sqlite3.connect, sqlite3.dbapi2.connect) == before
    assert not trace.statements


@pytest.mark.parametrize(("given", "options", "told"), [
    (":memory:", {}, "sqlite:///:memory:"), ("", {}, "sqlite:///"), ("file:/tmp/a%20b?mode=memory", {"uri": True},
                                                                     "sqlite:////tmp/a b"),
])
def test_databases_that_are_no_files(trace: Trace, given: str, options: dict[str, Any], told: str) -> None:
    instrument("sqlite3")
    with closing(sqlite3.connect(given, **options)) as connection:
        connection.execute("select 1")
    assert statement(trace).database == told


def test_the_spool_of_a_run_is_none_of_its_statements(trace: Trace) -> None:
    instrument("sqlite3")
    with closing(Spool()) as spool:
        spool.lay([("k", "create", b"x")])
    assert not trace.statements
