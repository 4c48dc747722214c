"""A host that is cut off in the middle of a dispatcher's transaction does not keep the others from admitting."""

import contextlib
import os
import sys
import time
from pathlib import Path

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.machines.places import behind_forwarders, worker
from tests.processes import Child
from tests.waiting import until

LEASE_SECONDS, POLL_SECONDS = 2.0, 0.2
ROOT = Path(__file__).parents[2]
SLOW = """
import threading
from tests.machines.app import app

dispatcher = app.dispatcher()

def admit_slowly(tx, *given):
    print("holds the lock", flush=True)
    while True:
        tx.row("now")
        threading.Event().wait(0.02)

dispatcher._admit_jobs = admit_slowly
dispatcher.step()
"""
"""A dispatcher that never comes to the end of its transaction, though it goes on in it."""


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_others_admit_soon_after_one_is_cut_off_that_holds_the_lock_of_dispatch(
        store_url: str, clock: Clock, tmp_path: Path):
    with contextlib.ExitStack() as stack:
        slow, other = stack.enter_context(behind_forwarders(store_url, 2))
        app = stack.enter_context(Penstock(store_url))
        ship = app.task(name="ship", serial="order")(lambda order: None)
        job = ship.enqueue(1).id
        holder = Child([sys.executable, "-c", SLOW], tmp_path, {
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))), "PENSTOCK_URL": slow.url, "MACHINE": "slow",
            "LEDGER": str(tmp_path), "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS)})
        stack.callback(holder.close)
        holder.line("holds the lock")
        stack.enter_context(worker(other, tmp_path, lease_seconds=LEASE_SECONDS))
        ran = tmp_path / other.name
        until("the other host is up", lambda: ran.exists() and "up" in ran.read_text())
        pending = f"select 1 from penstock.live_jobs where id = {job} and state = 'pending'"
        assert clock.fetch(pending), "one that is slow, and heard of, goes on holding the lock"

        slow.cut()
        began = time.monotonic()
        until("the other host admits", lambda: not clock.fetch(pending))
        assert time.monotonic() - began <= LEASE_SECONDS + POLL_SECONDS + 1
        until("it has run", lambda: not clock.fetch("select 1 from penstock.live_jobs"))
        assert [line.split()[1] for line in ran.read_text().splitlines() if line.startswith("ran")] == [str(job)]
