"""Three worker hosts serve one account under one rate, and one is cut off: nothing is lost, nothing over the limit."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.machines import places
from tests.machines.account import GROUPS, PEOPLE, RATE
from tests.machines.account import app as declared
from tests.processes import Child
from tests.waiting import until

LEASE_SECONDS = 2.0


@contextlib.contextmanager
def account() -> Iterator[tuple[str, list[tuple[float, str]]]]:
    """A server for one account: its address, and what arrived there when."""
    found: list[tuple[float, str]] = []

    class Arrival(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append((time.monotonic(), self.path.strip("/")))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Arrival)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def host(machine: places.Machine, folder: Path, server: str) -> Iterator[Child]:
    command = [sys.executable, "-m", "penstock.cli", "--app", "tests.machines.account", "worker", "--quiet"]
    child = Child(command, folder,
                  {"PENSTOCK_URL": machine.url, "SERVER": server, "PENSTOCK_LEASE_SECONDS": str(LEASE_SECONDS),
                   "PENSTOCK_POLL_SECONDS": "0.2"})
    try:
        yield child
    finally:
        child.close()


def worst(times: list[float], seconds: float) -> int:
    """The most that any stretch of so many seconds holds."""
    return max(sum(begin <= at < begin + seconds for at in times) for begin in times)


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_one_that_is_cut_off_takes_nothing_and_nobody_goes_over(store_url: str, clock: Clock, tmp_path: Path):
    with contextlib.ExitStack() as stack:
        machines = stack.enter_context(places.behind_forwarders(store_url, 3))
        server, arrived = stack.enter_context(account())
        app = stack.enter_context(Penstock(store_url))
        app.syncs = declared.syncs
        app.migrate()
        for machine in machines:
            stack.enter_context(host(machine, tmp_path, server))
        until("three hosts are up", lambda: clock.fetch("select 1 from penstock.workers") and len(clock.fetch(
            "select 1 from penstock.workers")) == 3)
        app.request([{"sync": "people", "subject": f"g{number}", "account": "acme", "priority": 0, "reason": "all"}
                     for number in range(GROUPS)])
        until("they are at work", lambda: len(arrived) > 20)
        machines[1].cut()
        until("all is done without the one that is cut off", lambda: clock.fetch(
            f"select 1 from penstock.sync_runs where status = 'succeeded' having count(*) = {GROUPS}"), seconds=60)
        machines[1].restore()

    assert {key for _, key in arrived} == {f"g{group}-{person}" for group in range(GROUPS) for person in range(PEOPLE)}
    assert worst([at for at, _ in arrived], 1.0) <= RATE
