"""`kill -9` in the middle of `job.resume`: nothing that was saved is done again, and nothing is left out."""

import signal
from pathlib import Path

from penstock import Penstock
from tests.clock import Clock
from tests.crash.resume_app import ROWS
from tests.processes import penstock
from tests.stores import on_sqlite
from tests.waiting import until

APP = "tests.crash.resume_app"


@on_sqlite  # what a cursor is in each store: tests/conformance
def test_a_job_goes_on_behind_what_was_saved(store_url: str, clock: Clock, tmp_path: Path):
    ledger = tmp_path / "ledger"
    environment = {"PENSTOCK_URL": store_url, "PENSTOCK_LEASE_SECONDS": "2", "PENSTOCK_POLL_SECONDS": "0.2",
                   "LEDGER": str(ledger)}
    with Penstock(store_url) as app:
        app.task(lambda: None, name="walk").enqueue()

    def saved(above: int = 0) -> int:
        cursors = [int(cursor) for (cursor,) in clock.fetch("select cursor from penstock.progress") if cursor]
        return cursors[0] if cursors and cursors[0] > above else 0

    with penstock("--app", APP, "worker", "--quiet", folder=tmp_path, SECONDS_PER_ROW="0.002", **environment) as first:
        earlier = until("something is saved", saved)
        cursor = until("more is saved, while it goes on", lambda: saved(earlier))
        first.signal(signal.SIGKILL)
        first.wait()
    done = [int(line) for line in ledger.read_text().splitlines()]
    assert 0 < earlier < cursor <= done[-1] < ROWS
    with penstock("--app", APP, "worker", "--quiet", folder=tmp_path, **environment) as second:
        until("its end", lambda: clock.fetch("select state from penstock.jobs") == [("completed",)], 60)
        second.signal(signal.SIGTERM)
        assert second.wait() == 0, second.rest()
    after = [int(line) for line in ledger.read_text().splitlines()][len(done):]
    assert done == list(range(1, done[-1] + 1))
    assert after == list(range(after[0], ROWS + 1))
    assert cursor < after[0] <= done[-1] + 1, "what came after the last word that was saved, and nothing else"
