"""The kit's proxy: it forwards as it was asked, and breaks requests where a fault strikes."""

import json
from collections.abc import Iterator
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from penstock.testing.connectors import FaultyProxy
from penstock.testing.connectors.faults import (
    ANSWER_LOST,
    ANSWER_TORN,
    KILLED,
    REQUEST_LOST,
    THROTTLED,
    FaultKind,
    Faults,
)
from tests.connectors.http.server import Answer, Api


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as api:
        api.on("GET /v1/people", lambda seen: Answer(json={"next": f"{api.url}/v1/people?page=2"}))
        api.on("POST /v1/people", lambda seen: Answer(201, json={"got": seen.json}))
        yield api


@pytest.fixture
def proxy(api: Api) -> Iterator[FaultyProxy]:
    with FaultyProxy(f"{api.url}/v1") as proxy:
        proxy.faults = Faults(requests=True)
        yield proxy


def asked(proxy: FaultyProxy, body: object = None) -> tuple[int, bytes]:
    request = Request(f"{proxy.url}/people", None if body is None else json.dumps(body).encode(),
                      {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return answer.status, answer.read()


def test_it_forwards_and_links_lead_through_it(proxy: FaultyProxy) -> None:
    assert asked(proxy, {"name": "Åse"}) == (201, json.dumps({"got": {"name": "Åse"}}).encode())
    status, content = asked(proxy)
    assert (status, json.loads(content)) == (200, {"next": f"{proxy.url}/people?page=2"})


@pytest.mark.parametrize(("kind", "arrives"), [(ANSWER_LOST, True), (REQUEST_LOST, False)])
def test_what_is_lost(proxy: FaultyProxy, api: Api, kind: FaultKind, arrives: bool) -> None:
    assert proxy.faults is not None
    proxy.faults.arm(fault := kind.at(2))
    asked(proxy, 1)
    with pytest.raises((OSError, HTTPException)):
        asked(proxy, 2)
    asked(proxy, 3)
    assert [seen.json for seen in api.seen if seen.method == "POST"] == ([1, 2, 3] if arrives else [1, 3])
    assert str(fault) == f"{kind.name} {'after' if arrives else 'before'} POST /people (the 2. place where it can be)"


def test_a_throttled_request_is_a_429(proxy: FaultyProxy, api: Api) -> None:
    assert proxy.faults is not None
    proxy.faults.arm(THROTTLED.at(1))
    with pytest.raises(HTTPError) as caught:
        asked(proxy, 1)
    with caught.value as error:
        assert (error.code, error.headers["Retry-After"]) == (429, "3")
    assert not api.seen


def test_a_torn_answer_says_that_it_is_whole(proxy: FaultyProxy) -> None:
    assert proxy.faults is not None
    whole = asked(proxy, "some name")[1]
    proxy.faults.arm(ANSWER_TORN.at(1))
    assert asked(proxy, "some name") == (201, whole[:len(whole) // 2])


def test_nothing_passes_once_the_process_is_dead(proxy: FaultyProxy, api: Api) -> None:
    assert proxy.faults is not None
    proxy.faults.arm(KILLED.at(1))
    for _ in range(2):
        with pytest.raises((OSError, HTTPException)):
            asked(proxy, 1)
    assert proxy.faults.dead
    assert not api.seen
