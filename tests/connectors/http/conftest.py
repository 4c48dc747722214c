"""Every test has a server of its own."""

import threading
from collections.abc import Iterator

import pytest

from penstock.connectors import http
from penstock.domain.records import Subject
from penstock.sync.declaring.ports import Run
from tests.connectors.http.server import Api


@pytest.fixture
def api() -> Iterator[Api]:
    before = set(threading.enumerate())
    with Api() as running:
        yield running
    assert set(threading.enumerate()) <= before, "a thread was left behind"


@pytest.fixture
def client(api: Api) -> Iterator[http.Client]:
    with http.connect(api.url, timeout=60) as connected:
        yield connected


@pytest.fixture
def run(client: http.Client) -> Run:
    return Run(Subject("g1", account="acme"), client=client)
