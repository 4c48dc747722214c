"""psycopg: whatever executes a statement tells of it, once, with its rows, its parameters and where it came from."""

import inspect
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import psycopg
import pytest
from psycopg import sql

from penstock.domain.parameters import values
from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.trace import OTHER, QUERIED, Trace
from tests.phases import phases_add_up
from tests.unit.observe.instruments.conftest import statement, statements, traced

SERIES = "select n from generate_series(1, %s) n"


@pytest.fixture
def connection(postgres_server: str) -> Iterator[Any]:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("create temp table item (id int primary key, name text)")
        instrument("psycopg")
        yield connection


def test_it_tells_calls_rows_parameters_and_the_callers_line(connection: Any, trace: Trace) -> None:
    for most in (3, 5):
        connection.execute(SERIES, (most,)).fetchall()
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    seen = statement(trace)
    assert (seen.text, seen.driver, seen.calls, seen.rows, seen.failed) == (SERIES, "psycopg", 2, 8, 0)
    assert seen.database is not None
    assert seen.database.startswith("postgresql://")
    assert seen.database.endswith(f"/{connection.info.dbname}")
    assert [values(sample.parameters) for sample in seen.samples] == [[3], [5]]
    assert [(site.file, site.line, site.calls) for site in seen.sites] == [(__file__, line, 2)]


def test_phases_add_up_to_the_wall_time(connection: Any) -> None:
    with traced() as trace:
        connection.execute("select pg_sleep(0.02)")
        sum(range(100_000))
    assert phases_add_up([ns // 1000 for ns in trace.phases], trace.took_ns // 1000)
    assert trace.phases[QUERIED] >= 20_000_000
    assert trace.phases[OTHER] > 0
    assert statement(trace).total_us == trace.phases[QUERIED] // 1000


@pytest.mark.parametrize("kind", [psycopg.Cursor, psycopg.ClientCursor, psycopg.RawCursor])
def test_each_kind_of_cursor_tells_once(connection: Any, trace: Trace, kind: Any) -> None:
    text = "select n from generate_series(1, $1) n" if kind is psycopg.RawCursor else SERIES
    with kind(connection) as cursor:
        assert len(cursor.execute(text, [2]).fetchall()) == 2
    seen = statement(trace)
    assert (seen.text, seen.calls, seen.rows) == (text, 1, 2)
    assert seen.driver == ("psycopg-raw" if kind is psycopg.RawCursor else "psycopg")


def test_a_subclass_that_calls_the_drivers_own_is_counted_once(connection: Any, trace: Trace) -> None:
    class Mine(psycopg.Cursor[Any]):
        def execute(self, *args: Any, **options: Any) -> "Mine":
            super().execute(*args, **options)
            return self

    Mine(connection).execute("select 1")
    assert statement(trace).calls == 1


def test_to_connect_is_told(postgres_server: str, connection: Any, trace: Trace) -> None:
    class Mine(psycopg.Connection[Any]):
        pass

    for connect in (psycopg.connect, psycopg.Connection.connect, Mine.connect):
        with connect(postgres_server) as made:
            assert isinstance(made, Mine) == (connect.__self__ is Mine)
            made.execute("")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect("postgresql://127.0.0.1:1/nowhere")
    told = {(seen.text, seen.database is None): (seen.calls, seen.failed) for seen in statements(trace)}
    assert told["CONNECT", False] == (3, 0)
    assert told["CONNECT", True] == (1, 1)
    assert told["EMPTY QUERY", False] == (3, 0)


def test_what_it_writes_counts_as_rows(connection: Any, trace: Trace) -> None:
    connection.execute("insert into item select n from generate_series(1, 4) n")
    connection.execute("update item set name = 'x' where id > %(least)s", {"least": 2})
    inserted, updated = statements(trace)
    assert (inserted.rows, updated.rows, values(updated.samples[0].parameters)) == (4, 2, {"least": 2})


def test_executemany_is_one_call_with_the_first_parameters_as_its_example(connection: Any, trace: Trace) -> None:
    connection.cursor().executemany("insert into item values (%s, %s)", ((n, "x") for n in range(1, 6)))
    seen = statement(trace)
    assert (seen.calls, seen.rows, values(seen.samples[0].parameters)) == (1, 5, [1, "x"])


def test_rows_of_a_stream_count_as_they_come(connection: Any, trace: Trace) -> None:
    assert len(list(connection.cursor().stream(SERIES, [7]))) == 7
    seen = statement(trace)
    assert (seen.calls, seen.rows, seen.at_most_one) == (1, 7, 0)
    assert seen.total_us * 1000 <= trace.phases[QUERIED]


def test_a_stream_that_is_left_early_is_closed(connection: Any, trace: Trace) -> None:
    rows = connection.cursor().stream(SERIES, [100])
    next(rows)
    rows.close()
    assert statement(trace).rows == 1
    assert connection.execute("select 1").fetchone() == (1,)
    assert trace._entered == [OTHER]


def test_fetches_of_a_server_side_cursor_count_for_its_statement(connection: Any, trace: Trace) -> None:
    with connection.transaction(), connection.cursor("mine") as cursor:
        cursor.itersize = 10
        cursor.execute(SERIES, [25])
        assert cursor.fetchone() == (1,)
        assert len(cursor.fetchmany(4)) == 4
        assert len(list(cursor)) == 20
        assert cursor.fetchall() == []
    seen, commit = statements(trace)
    assert (seen.text, seen.calls, seen.rows, seen.at_most_one) == (SERIES, 1, 25, 0)
    assert (commit.text, commit.calls) == ("COMMIT", 1)


def test_copy_in_counts_its_rows(connection: Any, trace: Trace) -> None:
    with connection.cursor().copy("copy item from stdin") as copy:
        for number in range(1, 4):
            copy.write_row((number, "x"))
        copy.write("4\ty\n")
    seen = statement(trace)
    assert (seen.text, seen.calls, seen.rows, seen.failed) == ("copy item from stdin", 1, 4, 0)
    assert connection.execute("select count(*) from item").fetchone() == (4,)


def test_copy_out_counts_its_rows(connection: Any, trace: Trace) -> None:
    with connection.cursor().copy("copy (select * from generate_series(1, 6)) to stdout") as copy:
        assert len(list(copy.rows())) == 6
    assert (statement(trace).calls, statement(trace).rows) == (1, 6)


def test_a_copy_that_fails_raises_what_it_would(connection: Any, trace: Trace) -> None:
    def copied(text: str, divisor: int) -> None:
        with connection.cursor().copy("copy item from stdin") as copy:
            copy.write(text)
            divmod(1, divisor)

    with pytest.raises(ZeroDivisionError):
        copied("1\tx\n", 0)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        copied("none\tx\n", 1)
    assert connection.execute("select count(*) from item").fetchone() == (0,)
    assert trace._entered == [OTHER]


def test_answers_of_a_pipeline_count_for_their_statements(connection: Any, trace: Trace) -> None:
    with connection.pipeline():
        cursors = [connection.execute(SERIES, [most]) for most in (2, 3)]
        slow = connection.execute("select pg_sleep(0.02)")
        assert [len(cursor.fetchall()) for cursor in cursors] == [2, 3]
        slow.fetchall()
    series, slept = statements(trace)
    assert (series.calls, series.rows, slept.calls, slept.rows) == (2, 5, 1, 1)
    assert series.total_us + slept.total_us >= 20_000  # the answers come together: which took it cannot be told
    assert trace.phases[QUERIED] >= 20_000_000


def test_ends_of_transactions_are_told(postgres_server: str, trace: Trace) -> None:
    instrument("psycopg")
    with psycopg.connect(postgres_server) as connection:
        connection.execute("select 1")
        connection.commit()
        connection.commit()  # nothing to end
        connection.execute("select 1")
        connection.rollback()
        connection.execute("select 1")
    assert {seen.text: seen.calls for seen in statements(trace)} == {
        "CONNECT": 1, "select 1": 3, "COMMIT": 2, "ROLLBACK": 1}


def test_an_error_is_counted_and_passes_as_it_is(connection: Any, trace: Trace) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable) as raised:
        connection.execute("select * from nowhere")
    assert raised.value.__context__ is None
    assert (statement(trace).calls, statement(trace).failed) == (1, 1)
    assert trace._entered == [OTHER]


@pytest.mark.parametrize("query", [
    b"select n from generate_series(1, %s) n",
    sql.SQL("select n from generate_series(1, %s) {}").format(sql.Identifier("n")),
    sql.SQL(SERIES),
], ids=["bytes", "composed", "sql"])
def test_statements_of_every_kind_are_told_as_text(connection: Any, trace: Trace, query: Any) -> None:
    connection.execute(query, [2])
    list(connection.cursor().stream(query, [2]))
    seen = statement(trace)
    assert seen.text.replace('"', "") == SERIES
    assert (seen.calls, seen.rows) == (2, 4)


def test_parameters_that_cannot_be_kept_do_no_harm(connection: Any, trace: Trace) -> None:
    class Strange:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(psycopg.ProgrammingError):
        connection.execute("select %s as strange", (Strange(),))
    connection.execute("select length(%s)", ("x" * 5_000_000,))
    failed, huge = statements(trace)
    assert failed.failed == 1
    sample = huge.samples[0].parameters
    assert isinstance(sample, list)
    assert sample[0].value is None


def test_without_a_trace_nothing_is_told(connection: Any) -> None:
    connection.execute("select 1")
    with connection.cursor().copy("copy item from stdin") as copy:
        copy.write_row((1, "x"))
    assert len(list(connection.cursor().stream(SERIES, [2]))) == 2


def test_it_can_be_removed_and_leaves_the_library_as_it_was(postgres_server: str) -> None:
    kinds = [psycopg.Cursor, psycopg.AsyncCursor, psycopg.ServerCursor, psycopg.AsyncServerCursor, psycopg.Copy,
             psycopg.AsyncCopy, psycopg.Connection, psycopg.ServerCursor.__mro__[1], psycopg.Connection.__mro__[1],
             psycopg.AsyncConnection, psycopg.Pipeline.__mro__[1]]
    before = [dict(vars(kind)) for kind in kinds]
    instrument("psycopg")
    instrument("psycopg")
    assert [dict(vars(kind)) for kind in kinds] != before
    uninstrument("psycopg")
    assert [dict(vars(kind)) for kind in kinds] == before
    uninstrument("psycopg")
    with traced() as trace, psycopg.connect(postgres_server) as connection:
        connection.execute("select 1")
    assert not trace.statements


def test_signatures_and_names_stay_what_they_were(connection: Any) -> None:
    assert list(inspect.signature(psycopg.Cursor.execute).parameters)[:3] == ["self", "query", "params"]
    assert psycopg.Cursor.execute.__qualname__ == "Cursor.execute"


def test_a_fault_of_the_instrument_reaches_nobody(connection: Any, trace: Trace, monkeypatch: pytest.MonkeyPatch,
                                                  ) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the instrument is out of order")

    monkeypatch.setattr(Trace, "statement", broken)
    monkeypatch.setattr(Trace, "fetched", broken)
    assert connection.execute("select 1").fetchone() == (1,)
    assert list(connection.cursor().stream(SERIES, [2])) == [(1,), (2,)]
    with connection.cursor().copy("copy item from stdin") as copy:
        copy.write_row((1, "x"))
    assert trace._entered == [OTHER]


def test_threads_with_traces_of_their_own_do_not_mix(postgres_server: str) -> None:
    instrument("psycopg")
    seen: dict[int, list[tuple[str, int]]] = {}

    def work(number: int) -> None:
        with traced() as trace, psycopg.connect(postgres_server, autocommit=True) as connection:
            for _ in range(20 + number):
                connection.execute(f"select {'n, ' * number} n from generate_series(1, 2) n".encode())
        seen[number] = [(each.text, each.calls) for each in statements(trace) if each.text != "CONNECT"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: [(f"select {'n, ' * number} n from generate_series(1, 2) n", 20 + number)]
                    for number in range(3)}


def test_a_trace_that_is_lent_to_threads_harms_nobody(postgres_server: str) -> None:
    """As `asyncio.to_thread` does. Counts may be off by a few, since nothing is locked."""
    instrument("psycopg")
    done: list[int] = []

    def work() -> None:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            for _ in range(200):
                connection.execute("select 1")
        done.append(1)

    with traced() as trace:
        threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(done) == 4
    connected, selected = statements(trace)
    assert (connected.text, selected.text) == ("CONNECT", "select 1")
    assert 780 <= selected.calls <= 800
    assert len(trace._entered) == 1


def test_an_event_costs_microseconds(connection: Any) -> None:
    """Roughly: what it is exactly is the bench's to say, on a machine that does nothing else."""
    def took(times: int = 200) -> float:
        began = time.thread_time()
        for number in range(times):
            connection.execute(SERIES, (number % 3,))
        return (time.thread_time() - began) / times * 1e6

    without = min(took() for _ in range(5))
    with traced():
        assert min(took() for _ in range(5)) - without < 50
