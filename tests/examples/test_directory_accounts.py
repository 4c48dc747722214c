"""Case study K at the size of a customer base: ten accounts of forty groups, by worker and by drain, on both stores.

The walk runs as it stands, with all its limits and windows in force, against a real SCIM server.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from penstock import Window
from penstock.cli.demo.compare import differences
from penstock.cli.demo.server import Destination, scim_server
from tests.caller import transaction
from tests.clock import Clock
from tests.examples.crowd import ACCOUNTS, GROUPS, Directory, generate, most_at_once
from tests.examples.imported import imported
from tests.processes import penstock as command
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "directory"
SECONDS = 120.0
# By what, of how many groups each, and each how many-th is asked for again. All of them, where everything is tried;
# else forty groups of each account by one way, and by the other, on the other store, ten.
BY = [pytest.param("sqlite", "worker", GROUPS, 4, id="sqlite-worker"),
      pytest.param("postgres", "drain", GROUPS // 4, 2, id="postgres-drain-ten"),
      pytest.param("postgres", "drain", GROUPS, 1, id="postgres-drain", marks=pytest.mark.thorough),
      pytest.param("postgres", "worker", GROUPS, 1, id="postgres-worker", marks=pytest.mark.thorough),
      pytest.param("sqlite", "drain", GROUPS, 1, id="sqlite-drain", marks=pytest.mark.thorough)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Destination]:
    with scim_server(tmp_path / "scim.log", print) as running:
        yield running


@pytest.fixture
def directory(server: Destination) -> Iterator[Directory]:
    with Directory(server.url, server.token) as found:
        yield found


@pytest.fixture
def environment(store_url: str, tmp_path: Path, directory: Directory, server: Destination) -> dict[str, str]:
    return {"PENSTOCK_APP": "directory:app", "PENSTOCK_URL": store_url, "HR_DATABASE": f"sqlite:///{tmp_path}/hr.db",
            "SCIM_URL": directory.url, "SCIM_TOKEN": server.token}


@pytest.fixture
def walk(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with imported(EXAMPLE / "directory.py", monkeypatch) as module:
        yield module


@pytest.fixture
def ended(clock: Clock) -> Any:
    """How many runs that were asked for here there are, of each status; the clock may ask for some besides."""
    return lambda: dict(clock.fetch("select status, count(*) from penstock.sync_runs where reasons like '%edited%'"
                                    " group by status"))


@pytest.mark.parametrize(("store_url", "by", "each", "again"), BY, indirect=["store_url"])
def test_ten_accounts_of_many_groups(
        walk: ModuleType, by: str, each: int, again: int, store_url: str, clock: Clock, tmp_path: Path,
        directory: Directory, server: Destination, environment: dict[str, str], ended: Any):
    groups = generate(tmp_path / "hr.db", each)
    walk.app.migrate()

    def serve(asked: list[tuple[str, str]], runs: int) -> None:
        """Request groups in the HR application's transaction, and serve what is due."""
        with transaction(store_url) as connection:
            for group_id, customer in asked:
                walk.group_changed(connection, group_id, customer)
        if by == "worker":
            with command("worker", "--queue", "penstock.sync=8", "--max-runtime", f"{SECONDS + 60:g}", "--headroom",
                         f"{SECONDS - 10:g}", "--quiet", folder=EXAMPLE, **environment) as worker:
                until(f"{runs} runs have succeeded", lambda: ended() == {"succeeded": runs}, SECONDS)
                worker.process.terminate()
                assert worker.wait() == 0, worker.rest()
            return
        deadline = time.monotonic() + SECONDS
        while walk.app.drain(Window(20, 4), slots=8).remaining:
            assert time.monotonic() < deadline
        assert ended() == {"succeeded": runs}

    serve(groups, ACCOUNTS * each)
    assert differences(tmp_path / "hr.db", server) == []
    most = directory.most_in_a_second()
    assert set(most) == {customer for _, customer in groups}
    assert max(most.values()) <= 10, f"changes of one customer in one second at the server: {most}"
    at_once = most_at_once(clock.fetch("select account, started_at, finished_at from penstock.sync_runs"))
    assert 2 <= at_once.pop("") <= 8
    assert set(at_once.values()) == {1}
    made = directory.writes
    serve(groups[::again], ACCOUNTS * each + len(groups[::again]))
    assert directory.writes == made, "nothing has changed, so nothing is written"
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]
