"""Every test has a service of its own at one real server, seen through a proxy that can misbehave."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.records import Subject
from penstock.sync.declaring.ports import Run
from tests.servers.scim import FaultyProxy, ScimServer

TENANTS = count(1)


@pytest.fixture
def proxy(server: ScimServer) -> Iterator[FaultyProxy]:
    before = set(threading.enumerate())
    with FaultyProxy(server.tenant(f"tenant{next(TENANTS)}")) as running:
        yield running
    assert set(threading.enumerate()) <= before, "a thread was left behind"


@pytest.fixture(params=["bulk", "single"])
def way(request: pytest.FixtureRequest, proxy: FaultyProxy) -> str:
    """How operations travel: both ways must give the same outcomes."""
    if request.param == "single":
        proxy.offer(bulk={"supported": False})
    return str(request.param)


@pytest.fixture
def singly(proxy: FaultyProxy) -> None:
    proxy.offer(bulk={"supported": False})


@pytest.fixture
def client(proxy: FaultyProxy, server: ScimServer) -> Iterator[scim.Client]:
    with scim.connect(proxy.url, token=server.token, timeout=60) as connected:
        yield connected


@pytest.fixture
def run(client: scim.Client) -> Run:
    return Run(Subject("doors-7", account="acme"), client=client)


@pytest.fixture
def stored(server: ScimServer, proxy: FaultyProxy) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """What the server really holds, read past the proxy."""
    with scim.connect(proxy.upstream, token=server.token) as direct:
        yield lambda kind: list(direct.resources(kind))
