"""What is PostgreSQL's own: lost connections, deadlocks, notifications, and which errors mean what."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors

from penstock.domain.errors import ConfigurationError, SchemaMissing, StoreBusy, StoreError, StoreUnavailable
from penstock.store import migrate
from penstock.store.open import open_store
from penstock.store.port import Transaction
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.connection import conninfo, safe, translated
from tests.waiting import until


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(postgres_url, pool_size=4)
    migrate.migrate(store, [])
    yield store
    store.close()


@pytest.fixture
def admin(postgres_url: str) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def register(name: str) -> Any:
    return lambda tx: tx.row("worker_start", {"name": name, "lease_ms": 60_000})


def cut(admin: "psycopg.Connection[Any]") -> int:
    """End every connection of the store, and wait until they are gone."""
    ours = "from pg_stat_activity where application_name = 'penstock' and datname = current_database()"
    found = admin.execute(f"select pg_terminate_backend(pid, 5000) {ours}").fetchall()
    return len(found)


def names(admin: "psycopg.Connection[Any]") -> list[str]:
    return [row[0] for row in admin.execute("select name from penstock.workers order by id")]


def test_each_pool_opens_one_connection(postgres_url: str, admin: "psycopg.Connection[Any]"):
    """What asks the server for the first time stays, and the control plane has nothing to ask again."""
    def sessions() -> int:
        admin.execute("select pg_stat_force_next_flush()")  # this connection counts as well
        row = admin.execute("select pg_stat_clear_snapshot(), sessions from pg_stat_database"
                            " where datname = current_database()").fetchone()
        assert row is not None
        return int(row[1])

    before = sessions()
    store = PostgresStore(postgres_url)
    for pool in (store, store.control):
        pool.read(lambda tx: tx.row("whereabouts"))
    store.close()
    until("the server has counted both", lambda: sessions() >= before + 2)
    until("they are gone", lambda: not cut(admin))
    assert sessions() == before + 2


def test_a_store_that_is_closed_at_once_leaves_no_connection(postgres_url: str, admin: "psycopg.Connection[Any]"):
    for _ in range(5):
        PostgresStore(postgres_url).close()
    until("they are gone", lambda: not cut(admin))


def test_the_server_compiles_no_statement(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    """Where it does so by itself, each look of a dispatcher took a tenth of a second and more."""
    row = admin.execute("select current_database()").fetchone()
    assert row is not None
    admin.execute(f"alter database {row[0]} set jit = on")
    cut(admin)
    for pool in (store, store.control):
        shown = pool.read(lambda tx: tx.connection.execute("show jit").fetchone())  # type: ignore[attr-defined]
        assert shown == ("off",)


def test_the_control_plane_plans_each_statement_once(store: PostgresStore):
    """psycopg forgets at a rollback what it has prepared, so a read must not end with one."""
    def prepared(tx: Transaction) -> int:
        rows = tx.connection.execute("select name from pg_prepared_statements", prepare=False)  # type: ignore[attr-defined]
        return len(rows.fetchall())

    for _ in range(3):
        store.control.read(lambda tx: tx.row("now"))
        store.control.write(lambda tx: tx.rows("workers_expire"))
    assert store.control.read(prepared) == 2


def test_a_connection_that_is_lost_during_a_write(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    def work(tx: Transaction) -> None:
        register("lost")(tx)
        assert cut(admin)
        tx.row("now")

    with pytest.raises(StoreUnavailable, match="expected a PostgreSQL server that answers"):
        store.write(work)
    store.write(register("next"))
    assert names(admin) == ["next"]


def test_a_connection_that_is_lost_at_the_commit_says_that_it_may_have_happened(
        store: PostgresStore, admin: "psycopg.Connection[Any]"):
    def work(tx: Transaction) -> None:
        register("lost")(tx)
        assert cut(admin)

    with pytest.raises(StoreUnavailable, match="may have been carried out: read before you try again"):
        store.write(work)


def test_connections_that_died_in_the_pool_are_nobodys_error(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:  # so that the pool is full
        list(pool.map(lambda _: store.read(lambda tx: (together.wait(60), tx.row("now"))), range(4)))
    assert cut(admin) == 4
    store.write(register("first"))
    assert cut(admin) > 0
    assert store.read(lambda tx: tx.row("workers_alive")) == (1,)
    assert names(admin) == ["first"]


def test_an_answer_to_commit_that_says_no_is_not_a_lost_one(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    admin.execute("alter table penstock.workers add constraint once unique (name) deferrable initially deferred")
    store.write(register("one"))
    with pytest.raises(StoreError) as caught:
        store.write(register("one"))
    assert not isinstance(caught.value, StoreUnavailable)
    assert names(admin) == ["one"]


def test_a_deadlock_is_tried_again(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    """Two transactions lock two rows crosswise: PostgreSQL ends one of them, which the store then runs again."""
    one, two = store.write(register("one"))[0], store.write(register("two"))[0]
    together = threading.Barrier(2)
    tries: list[int] = []

    def crosswise(first: int, second: int) -> None:
        def work(tx: Transaction) -> None:
            tries.append(first)
            tx.execute("worker_renew", {"worker_id": first, "lease_ms": 1_000})
            if len(tries) <= 2:
                together.wait(60)
            tx.execute("worker_renew", {"worker_id": second, "lease_ms": 1_000})

        store.write(work)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(crosswise, one, two), pool.submit(crosswise, two, one)]
        for future in futures:
            future.result(60)
    assert len(tries) >= 3


def test_work_that_always_collides_is_given_up(store: PostgresStore):
    tries: list[int] = []

    def work(tx: Transaction) -> None:
        tries.append(1)
        raise errors.SerializationFailure("could not serialize access")

    with pytest.raises(StoreBusy, match="could not serialize access"):
        store.write(work)
    assert len(tries) == 5


def test_an_error_undoes_the_work_and_frees_the_connection(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    def work(tx: Transaction) -> None:
        register("undone")(tx)
        raise LookupError("mine")

    for _ in range(10):  # more often than there are connections
        with pytest.raises(LookupError):
            store.write(work)
        with pytest.raises(StoreError):
            store.read(register("undone"))
    assert names(admin) == []
    open_transactions = "select count(*) from pg_stat_activity where state like 'idle in transaction%'"
    assert admin.execute(open_transactions).fetchone() == (0,)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_server_with_another_default_isolation_changes_nothing(
        store: PostgresStore, admin: "psycopg.Connection[Any]", postgres_url: str, isolation: str):
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
    admin.execute(f"alter database {name} set default_transaction_isolation = '{isolation}'".encode())
    other = PostgresStore(postgres_url)
    try:
        assert other.write(lambda tx: tx.connection.execute(  # type: ignore[attr-defined]
            "show transaction_isolation").fetchone()) == ("read committed",)
    finally:
        other.close()


def test_user_code_that_holds_every_connection_leaves_the_control_plane_its_own(postgres_url: str):
    store = PostgresStore(postgres_url, pool_size=2, timeout_seconds=0.2)
    migrate.migrate(store, [])
    enough, held = threading.Event(), threading.Barrier(3)

    def hold(tx: Transaction) -> None:
        held.wait(60)
        enough.wait(60)

    with ThreadPoolExecutor(2) as user_code:
        holding = [user_code.submit(store.read, hold) for _ in range(2)]
        held.wait(60)
        with pytest.raises(StoreUnavailable, match="pool_size is too small"):
            store.read(lambda tx: tx.row("now"))
        assert store.control.write(register("heartbeat"))
        enough.set()
        for each in holding:
            each.result(60)
    assert store.control is store.control
    woken = threading.Event()
    store.control.watch(woken.set)
    woken.clear()
    store.wake()
    assert woken.wait(60)
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.control.read(lambda tx: tx.row("now"))


def test_another_store_is_woken(store: PostgresStore, postgres_url: str):
    noticed = threading.Event()
    watch = store.watch(noticed.set)
    assert noticed.wait(60)  # it listens now, and looks once for what it missed
    noticed.clear()
    other = PostgresStore(postgres_url)
    other.wake()
    assert noticed.wait(60)
    other.close()
    watch.close()


def test_a_watch_whose_connection_is_cut_listens_again(
        store: PostgresStore, postgres_url: str, admin: "psycopg.Connection[Any]"):
    noticed = threading.Event()
    watch = store.watch(noticed.set)
    assert noticed.wait(60)
    noticed.clear()
    assert cut(admin)
    assert noticed.wait(60)  # what may have been missed meanwhile
    watch.close()


def test_a_watch_is_closed_without_a_wait(store: PostgresStore):
    """A worker that stops closes it first, and claims nothing from then on."""
    took = []
    for _ in range(8):
        noticed = threading.Event()
        watch = store.watch(noticed.set)
        assert noticed.wait(60)
        began = time.monotonic()
        watch.close()
        watch.close()
        took.append(time.monotonic() - began)
    assert min(took) < 0.1


def test_a_watch_hears_one_wake_up_after_another(store: PostgresStore, admin: "psycopg.Connection[Any]"):
    noticed = threading.Event()
    watch = store.watch(noticed.set)
    for _ in range(20):
        assert noticed.wait(60)
        noticed.clear()
        admin.execute("notify penstock")
    assert noticed.wait(60)
    watch.close()


def test_a_wake_up_that_cannot_be_told_is_no_failure(store: PostgresStore):
    store._pool.close()
    store.wake()


@pytest.mark.parametrize(("error", "kind"), [
    (errors.UndefinedTable('relation "penstock.jobs" does not exist'), SchemaMissing),
    (errors.InvalidSchemaName("x"), SchemaMissing),
    (errors.LockNotAvailable("x"), StoreBusy),
    (errors.QueryCanceled("canceling statement due to statement timeout"), StoreBusy),
    (errors.DeadlockDetected("x"), StoreBusy),
    (errors.InsufficientPrivilege("permission denied for table jobs"), StoreUnavailable),
    (errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"), StoreUnavailable),
    (errors.AdminShutdown("terminating connection"), StoreUnavailable),
    (errors.DiskFull("no space left on device"), StoreUnavailable),
    (errors.TooManyConnections("sorry, too many clients already"), StoreUnavailable),
    (errors.InvalidPassword("password authentication failed"), StoreUnavailable),
    (psycopg.OperationalError("connection refused"), StoreUnavailable),
    (psycopg.InterfaceError("the connection is closed"), StoreUnavailable),
    (errors.UniqueViolation("x"), StoreError),
    (errors.UndefinedFunction("x"), StoreError),
])
def test_what_an_error_means(error: psycopg.Error, kind: type[StoreError]):
    told = translated(error, "postgresql://ann:secret@host/db")
    assert type(told) is kind
    assert "secret" not in str(told)


def test_a_server_that_does_not_answer_is_told_without_the_password():
    with pytest.raises(StoreUnavailable, match="expected a PostgreSQL server that answers") as caught:
        open_store("postgresql://ann:secret@127.0.0.1:1/db?connect_timeout=2")
    assert "secret" not in str(caught.value)
    assert "ann:***@127.0.0.1" in str(caught.value)


def test_a_url_that_cannot_be():
    with pytest.raises(ConfigurationError, match="expected postgresql://"):
        conninfo("postgresql://ann:secret@host/db?no_such_option=1")


@pytest.mark.parametrize(("url", "shown"), [
    ("postgresql://ann:secret@host/db", "postgresql://ann:***@host/db"),
    ("postgresql://ann:se@cr:et@host/db", "postgresql://ann:***@host/db"),
    ("postgresql://ann@host/db", "postgresql://ann@host/db"),
    ("postgresql://host/db?password=secret&user=ann", "postgresql://host/db?password=***&user=ann"),
])
def test_a_password_is_never_shown(url: str, shown: str):
    assert safe(url) == shown


def test_a_half_open_socket_is_noticed_and_ones_own_wishes_win():
    assert "keepalives_idle=15" in conninfo("postgresql://host/db")
    assert "application_name=mine" in conninfo("postgresql://host/db?application_name=mine")
