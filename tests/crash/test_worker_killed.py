"""`kill -9` of the worker in the middle of a run: the next worker finishes it, and nothing exists twice."""

import functools
import signal
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from penstock import Penstock
from penstock.cli.demo import source
from penstock.cli.demo.compare import differences
from penstock.cli.demo.runs import SYNC
from penstock.cli.demo.server import scim_server
from penstock.connectors import scim
from penstock.domain.names import layer_table
from penstock.sync.state.runs import RunRow, latest_runs
from tests.clock import Clock
from tests.processes import penstock
from tests.waiting import until

APP = "tests.crash.directory_app"
PEOPLE, GROUPS = 150, 5
MOMENTS = ((0.02, 0.3), (0.35, 0.6), (0.65, 0.95))
"""Which share of all records has been synchronised when the worker is killed, from and to."""


class Sync:
    """The demo's sync, seen from outside of its worker."""

    def __init__(self, app: Penstock, clock: Clock, hr: Path) -> None:
        self._app = app
        self._clock = clock
        self._subjects = source.subjects(hr)

    def request(self) -> None:
        self._app.request([{"sync": SYNC, "subject": group_id, "account": customer, "priority": 0, "reason": "test"}
                           for group_id, customer in self._subjects])

    def synchronised(self) -> int:
        """How many records the destination surely has."""
        counts = (f"select count(*) from penstock.{layer_table(SYNC, layer)} where status = 'synced'"
                  for layer in ("People", "Groups", "Members"))
        return sum(row[0] for row in self._clock.fetch(" union all ".join(counts)))

    def ended(self) -> list[RunRow]:
        """The newest runs, once all of them have ended."""
        runs, requested = latest_runs(self._app.store, SYNC, [group_id for group_id, _ in self._subjects])
        over = all(run.status not in ("pending", "running") for run in runs)
        return runs if over and not requested and len(runs) == GROUPS else []


@pytest.mark.parametrize("store_url", [
    "postgres", pytest.param("sqlite", marks=pytest.mark.thorough)], indirect=True)  # on a file as test_syncs.py does
def test_a_sync_whose_worker_is_killed_three_times_converges(store_url: str, clock: Clock, tmp_path: Path):
    random = Random(store_url.partition(":")[0])
    hr = tmp_path / "hr.db"
    source.generate(hr, people=PEOPLE, groups=GROUPS, seed=3)
    with source.opened(hr) as connection:
        total = PEOPLE + GROUPS + connection.execute("select count(*) from member").fetchone()[0]
    with scim_server(tmp_path / "scim.log", print) as destination, Penstock(store_url) as app:
        command = functools.partial(
            penstock, "--app", APP, folder=tmp_path, HR_DATABASE=f"sqlite:///{hr}", PENSTOCK_URL=store_url,
            SCIM_URL=destination.url, SCIM_TOKEN=destination.token,
            PENSTOCK_LEASE_SECONDS="3")  # no call may outlast it
        with command("migrate") as migrating:
            assert migrating.wait() == 0, migrating.rest()
        sync = Sync(app, clock, hr)
        for earliest, latest in MOMENTS:
            moment = round(total * random.uniform(earliest, latest))
            sync.request()
            with command("worker", "--quiet") as worker:
                until(f"{moment} of {total} records", lambda moment=moment: sync.synchronised() >= moment)
                worker.signal(signal.SIGKILL)
            assert 0 < sync.synchronised() < total
        with command("worker", "--quiet"):
            sync.request()
            runs = until("the end of all runs", sync.ended, seconds=60)
            assert {run.status for run in runs} == {"succeeded"}, runs
            assert differences(hr, destination) == []
            with scim.connect(destination.url, token=destination.token) as client:
                assert set(Counter(user["externalId"] for user in client.resources("Users")).values()) == {1}
            sync.request()
            runs = until("the end of the runs that have nothing to do", sync.ended)
            assert sum(run.write_calls for run in runs) == 0
