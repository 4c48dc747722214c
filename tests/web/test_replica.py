"""The dashboard reads from a real hot standby, and everything that changes something goes to the primary."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from bench.web.crawling import crawl
from penstock import Penstock, Window
from penstock.app import replica as replica_module
from penstock.app.replica import Replica
from penstock.domain.errors import ConfigurationError, StoreBusy
from penstock.events import ReplicaChanged
from penstock.store import migrate
from penstock.store.open import open_store
from penstock.web.answering import Answering
from penstock.web.pages import declared
from penstock.web.site import for_this_machine
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.conformance.traces.keeping import Traced
from tests.conformance.traces.test_advice_found import advised
from tests.conftest import _wheel
from tests.databases import Databases, database, on_database
from tests.engine import Engine
from tests.waiting import until
from tests.web.conftest import Client, browser
from tests.web.standby import Standby, standby

SECRET = "signs the sessions of this test"


@pytest.fixture(scope="module")
def servers() -> Iterator[Standby]:
    """A primary of this module's own, and its standby."""
    with tempfile.TemporaryDirectory(prefix="penstock-rep-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        own, copied = Path(name, "primary"), Path(name, "standby")
        own.mkdir()
        copied.mkdir()
        server = _wheel().get_server(own, cleanup_mode="stop")
        try:
            if server.system_user is not None:
                shutil.chown(copied, server.system_user)
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in ("fsync = off", "full_page_writes = off", "wal_keep_size = '256MB'"):
                    connection.execute(f"alter system set {setting}")
                connection.execute("select pg_reload_conf()")
            with standby(server, copied) as found:
                yield found
        finally:
            server.cleanup()


@pytest.fixture(scope="module")
def databases(servers: Standby) -> Iterator[Databases]:
    with database(servers.primary, None) as url:
        store = open_store(url)
        migrate.migrate(store, [])
        store.close()
        Clock(url).close()
        found = Databases(servers.primary, urlsplit(url).path.removeprefix("/"))
        yield found
        found.close()


@pytest.fixture
def store_url(databases: Databases) -> Iterator[str]:
    """A store on the primary."""
    with databases.lent() as url:
        yield url


@pytest.fixture
def clock(store_url: str, databases: Databases) -> Iterator[Clock]:
    with closing(Clock(store_url, through=databases.own(store_url))) as clock:
        yield clock


@pytest.fixture
def replica_url(servers: Standby, store_url: str) -> str:
    """The same on the standby, which has it by now."""
    servers.level()
    return on_database(servers.url, urlsplit(store_url).path.removeprefix("/"))


@pytest.fixture
def settings(replica_url: str) -> dict[str, Any]:
    """With a lease so long that a slow machine does not make a standby that is held seem too far behind."""
    return {"replica_url": replica_url, "web_secret": SECRET, "lease_seconds": 3600}


@pytest.fixture
def looked_at(app: Penstock, monkeypatch: pytest.MonkeyPatch) -> "Replica[Penstock]":
    """The app's replica, looked at for each page."""
    found = Replica(app, str(app.settings.replica_url))
    monkeypatch.setattr(replica_module, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replica_module, "_AGAIN_SECONDS", 0.0)
    app._replica = found
    return found


@pytest.fixture
def client(looked_at: "Replica[Penstock]", app: Penstock) -> Iterator[Client]:
    with browser(for_this_machine(app, share_seconds=0)) as client:
        yield client


def reads(app: Penstock) -> list[bool]:
    """What is told of the replica, as it is told."""
    found: list[bool] = []
    app.listen(lambda event: found.append(event.reads), ReplicaChanged)
    return found


@contextmanager
def held(servers: Standby) -> Iterator[None]:
    """The standby replays nothing."""
    servers.level()
    servers.hold()
    try:
        yield
    finally:
        servers.go_on()


NOTE = '<p id="of-replica" class="of-replica" role="status" data-live>'


def note(client: Client, path: str = "/queues") -> str:
    page = client.get(path)
    assert page.status_code == 200
    return page.text.partition(NOTE)[2].partition("</p>")[0]


def paused(client: Client) -> list[bool]:
    """Of each queue."""
    return ["Resume" in row for row in client.get("/queues").text.split('<tr id="queue-')[1:]]


class Closed:
    """The primary's store, of which only where it stands may be asked."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def look(self, name: str, *args: Any, **options: Any) -> Any:
        assert name == "standing", f"the primary was asked {name}"
        return self._store.look(name, *args, **options)

    def __getattr__(self, name: str) -> Any:
        assert name in ("dialect", "close"), f"the primary was asked to {name}"
        return getattr(self._store, name)


@pytest.fixture
def world(app: Penstock, clock: Clock, servers: Standby) -> Iterator[dict[str, str]]:
    """Something of everything; gives the addresses that few links lead to."""
    directory = Directory(groups={"g1": {f"p{each:02}": f"name {each}" for each in range(40)}, "g2": {"q1": "other"}},
                          batch_size=20)
    other = directory.app(app.settings.url, clock.expression)
    app.syncs.update(other.syncs)
    app.tasks.update(other.tasks)
    app.migrate()
    engine = Engine(app, clock)

    @app.task
    def work(what: str) -> None: ...

    batch = app.batch([work.call("a"), work.call("b")])
    engine.sync("people", "g1", "g2")
    directory.groups["g1"] = {"p01": "name 1"}
    engine.sync("people", "g1")
    engine.upkeep()
    (question,) = app.approvals("people")
    traced = Traced(app.store)
    traced.traced("nightly", kind="task", took_us=9_000_000, job_id=batch.jobs[0].id)
    traced.flush()
    advice = advised(app)
    slow = app.slowest_traces("nightly")[0].key
    app.pause("default")
    servers.level()
    yield {"/batches/{id}": f"/batches/{batch.id}", "/approvals/{sync}/{id}": f"/approvals/people/{question.id}",
           "/advice/{id}": f"/advice/{advice}", "/traces/{key}": f"/traces/{slow}", "/workers/{id}":
           f"/workers/{engine.worker_id}"}
    traced.recorder.close()
    other.close()


def test_every_page_is_answered_by_the_standby(
        app: Penstock, world: dict[str, str], client: Client, looked_at: "Replica[Penstock]",
        monkeypatch: pytest.MonkeyPatch):
    exact = {view.path for view in declared().views if view.exact}
    patterns = [view.path for view in declared().views]

    def fetch(address: str) -> str | None:
        page = client.get(address)
        assert page.status_code == 200, address
        return page.text

    starts = ["/", "/why/slow/nightly", "/why/waiting/people?subject=g1", *world.values()]
    addresses = crawl(fetch, starts, patterns, {}, of_a_kind=1, of_a_path=3)
    assert [path for path, found in addresses.items() if not found] == []
    assert "people" in client.get("/syncs").text
    with monkeypatch.context() as patch:  # what somebody goes by is not asked of it
        patch.setattr(looked_at, "app", lambda: pytest.fail("the replica was asked"))
        for path in exact:
            assert client.get(addresses[path][0]).status_code == 200, path
    monkeypatch.setattr(app, "_store", Closed(app.store))
    for path, found in addresses.items():
        for address in found if path not in exact else []:
            assert client.get(address).status_code == 200, address
            answer = client.get(f"/api/v1{address}")
            assert answer.status_code == 200, (address, answer.text)
            assert note(client, address) == "", address
    slow = world["/traces/{key}"]
    for address in (f"{slow}/speedscope", "/speedscope/nightly", "/api/v1/speedscope/nightly"):
        assert client.get(address).status_code == 200, address
    assert {line for line in client.get("/metrics").text.splitlines() if line.startswith("penstock_replica")} == {
        "penstock_replica_reads 1", "penstock_replica_lag_seconds 0"}


def test_whoever_changes_something_sees_it_whatever_the_standby_has(
        app: Penstock, client: Client, servers: Standby, looked_at: "Replica[Penstock]"):
    app.enqueue_many([app.task(lambda: None, name="work").call()])
    servers.level()
    assert paused(client) == [False]
    with held(servers):
        client.post_form("/queues/pause", {"queue": "default"})
        assert paused(client) == [True]
        assert [entry["said"] for entry in client.get("/api/v1/journal").json()["entries"]] != [None]
        assert looked_at.app() is None
    assert looked_at.app() is not None
    assert paused(client) == [True]


def test_a_browser_takes_its_change_along_to_another_process(
        app: Penstock, client: Client, servers: Standby, settings: dict[str, Any]):
    app.enqueue_many([app.task(lambda: None, name="work").call()])
    servers.level()
    with (Penstock(app.settings.url, now=app.settings.now, **settings) as beside,
          browser(for_this_machine(beside, share_seconds=0)) as other):
        assert paused(other) == [False]
        with held(servers):
            client.post_form("/queues/pause", {"queue": "default"})
            assert paused(other) == [False]
            other.cookies.set("penstock_changed", "forged.AAAA")
            assert paused(other) == [False]
            other.cookies.clear()
            other.cookies.set("penstock_changed", client.cookies["penstock_changed"])
            assert paused(other) == [True]


def test_a_page_says_how_far_behind_it_is_and_then_leaves_the_replica(
        app: Penstock, client: Client, servers: Standby, looked_at: "Replica[Penstock]",
        monkeypatch: pytest.MonkeyPatch):
    told = reads(app)
    assert (note(client), told) == ("", [True])
    monkeypatch.setattr(replica_module, "_WORTH_TELLING_MS", 0.0)
    with held(servers):
        app.enqueue_many([app.task(lambda: None, name="work").call()])
        assert re.fullmatch(r"The replica is \d+ s behind, and so is this\.", note(client))
        assert client.get("/jobs").text.count('<tr id="job-') == 0
        looked_at._most_behind_ms = 0.0
        assert re.fullmatch(r"The replica is \d+ s behind, so this is read from the primary\.", note(client))
        assert client.get("/jobs").text.count('<tr id="job-') == 1
        assert "penstock_replica_reads 0" in client.get("/metrics").text
    assert (note(client), told) == ("", [True, False, True])


def test_what_does_not_answer_is_left_alone_and_comes_back(app: Penstock, client: Client, servers: Standby):
    told = reads(app)
    assert note(client) == ""
    servers.stop()
    try:
        assert note(client) == "The replica does not answer, so this is read from the primary."
        assert client.get("/readyz").status_code == 200
    finally:
        servers.start()
    until("it is read again", lambda: note(client) == "")
    assert told == [True, False, True]


def test_it_may_be_away_when_the_dashboard_starts(app: Penstock, looked_at: "Replica[Penstock]", servers: Standby):
    told = reads(app)
    servers.stop()
    try:
        looked_at.check()
    finally:
        servers.start()
    looked_at.check()
    assert told == [False, True]


def test_what_the_standby_breaks_off_is_read_from_the_primary(
        app: Penstock, looked_at: "Replica[Penstock]", client: Client):
    def load(seen: Penstock) -> str:
        if seen is not app:
            raise StoreBusy("canceling statement due to conflict with recovery")
        return "the primary"

    answering = next(cell for cell in gathered(client.app) if isinstance(cell, Answering))
    assert answering.read(lambda seen: "another" if seen is not app else "the primary") == "another"
    assert answering.read(load) == "the primary"
    assert looked_at.reading.reads


def test_a_job_that_has_not_arrived_yet_is_shown(app: Penstock, client: Client, servers: Standby):
    work = app.task(lambda: None, name="work")
    with held(servers):
        assert client.get(f"/jobs/{work.enqueue().id}").status_code == 200


def test_what_is_no_replica_of_the_store_is_refused(app: Penstock, servers: Standby, databases: Databases):
    for url, says in ((app.settings.url, "a server that is not in recovery"),
                      (servers.url, "expected a hot standby of the store, got database 'postgres'")):
        with pytest.raises(ConfigurationError, match=says), closing(Replica(app, url)) as replica:
            replica.check()


def test_one_that_lacks_a_migration_is_refused(
        app: Penstock, clock: Clock, servers: Standby, looked_at: "Replica[Penstock]"):
    looked_at.close()
    other = Directory().app(app.settings.url, clock.expression)
    with held(servers), other:
        other.migrate()
        with closing(Replica(other, str(app.settings.replica_url))) as replica:
            with pytest.raises(ConfigurationError, match="replica_url: the store lacks"):
                replica.check()
            assert replica.app() is None


def test_the_queue_never_reads_it(app: Penstock, servers: Standby):
    done: list[int] = []
    app.task(lambda: done.append(1), name="work").enqueue()
    app.drain(Window(total=60, headroom=5), slots=1)
    assert (done, app._replica) == ([1], None)


def test_a_password_is_not_shown(store_url: str):
    with Penstock(store_url, replica_url="postgresql://ann:hunter2@standby/shop") as app:
        (shown,) = (each for each in app.configuration() if each.name == "replica_url")
    assert shown.value == "postgresql://ann:***@standby/shop"


def gathered(site: Any) -> Iterator[Any]:
    """What the site holds."""
    yield from vars(site.live).values()
