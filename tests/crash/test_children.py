"""`kill -9` of a worker: whatever its children do, none of them outlives it."""

import signal
import sys
from pathlib import Path

import pytest

from penstock import Penstock
from tests.crash import children_app
from tests.processes import ended, penstock
from tests.waiting import until

APP = "tests.crash.children_app"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # what dies asks no store
@pytest.mark.parametrize("body", [
    "waits", "ends",
    pytest.param("holds", marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills it then"))])
def test_no_child_outlives_a_worker_that_is_killed(store_url: str, tmp_path: Path, body: str):
    with Penstock(store_url) as app:
        app.task(name=f"{APP}.{body}", pool="process")(getattr(children_app, body).function).enqueue()
    with penstock("--app", APP, "worker", "--queue", "default=1", folder=tmp_path, PENSTOCK_URL=store_url) as worker:
        pid = int(worker.line("child ").rpartition(" ")[2])
        worker.signal(signal.SIGKILL)
        until("the child is gone", lambda: ended(pid))
