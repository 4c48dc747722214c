"""Clients of HTTP tell of calls by method, host and route, with where they came from."""

import asyncio
import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import requests
import urllib3

from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.trace import CALLED, OTHER, Trace
from tests.connectors.http.server import Answer, Api
from tests.phases import phases_add_up
from tests.unit.observe.instruments.conftest import call, traced

Get = Callable[[str], Any]


def by_requests(url: str) -> Any:
    with requests.Session() as session:
        return session.get(url)


def by_urllib3(url: str) -> Any:
    with urllib3.PoolManager(retries=urllib3.Retry(connect=0, redirect=5)) as pool:
        response = pool.request("GET", url)
        return Urllib3Answer(response.status, response.data)


class Urllib3Answer(NamedTuple):
    status_code: int
    data: bytes

    def json(self) -> Any:
        return json.loads(self.data)


def by_client(library: str) -> Get:
    module = importlib.import_module(library)

    def get(url: str) -> Any:
        with module.Client(follow_redirects=True) as client:
            return client.get(url)

    return get


def by_async_client(library: str) -> Get:
    module = importlib.import_module(library)

    def get(url: str) -> Any:
        async def main() -> Any:
            async with module.AsyncClient(follow_redirects=True) as client:
                return await client.get(url)

        return asyncio.run(main())

    return get


CLIENTS: dict[str, tuple[str, Get]] = {
    "requests": ("requests", by_requests), "httpx": ("httpx", by_client("httpx")),
    "httpx async": ("httpx", by_async_client("httpx")), "httpx2": ("httpx2", by_client("httpx2")),
    "httpx2 async": ("httpx2", by_async_client("httpx2")), "urllib3": ("urllib3", by_urllib3),
}


@pytest.fixture(params=list(CLIENTS))
def get(request: pytest.FixtureRequest) -> Get:
    library, get = CLIENTS[request.param]
    instrument(library)
    return get


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as api:
        yield api


def test_calls_are_told_by_route(api: Api, get: Get) -> None:
    for number in (17, 18):
        api.on(f"GET /groups/{number}/members", lambda _: Answer(json=[]))
    with traced() as trace:
        for number in (17, 18):
            assert get(f"{api.root}/v2/groups/{number}/members?page=3").json() == []
    seen = call(trace)
    assert (seen.method, seen.host, seen.route) == ("GET", api.root.partition("//")[2], "/v2/groups/*/members")
    assert (seen.calls, seen.failed) == (2, 0)
    assert {site.file for site in seen.sites} == {__file__}
    assert 0 < trace.phases[CALLED] <= trace.took_ns
    assert phases_add_up([ns // 1000 for ns in trace.phases], trace.took_ns // 1000)


def test_answers_that_refuse_count_as_failed(api: Api, get: Get, trace: Trace) -> None:
    api.on("GET /people", lambda _: Answer(status=500))
    assert get(f"{api.root}/people").status_code == 500
    assert (call(trace).calls, call(trace).failed) == (1, 1)


def test_no_answer_counts_as_failed_and_the_error_passes(api: Api, get: Get, trace: Trace) -> None:
    url = api.root
    api.__exit__(None, None, None)
    with pytest.raises(Exception, match="(?i)connect"):
        get(f"{url}/people")
    assert (call(trace).calls, call(trace).failed) == (1, 1)
    assert trace._entered == [OTHER]


def test_redirects_are_calls_of_their_own(api: Api, get: Get, trace: Trace) -> None:
    api.on("GET /old", lambda _: Answer(status=302, headers={"Location": "/middle"}))
    api.on("GET /middle", lambda _: Answer(status=302, headers={"Location": "/new"}))
    api.on("GET /new", lambda _: Answer(json=[]))
    assert get(f"{api.root}/old").json() == []
    assert {route: (seen.calls, seen.failed) for (_, _, route), seen in trace.calls.items()} == {
        "/old": (1, 0), "/middle": (1, 0), "/new": (1, 0)}
    assert sum(seen.total_ns for seen in trace.calls.values()) <= trace.phases[CALLED] + 1000


def test_without_a_trace_nothing_is_told(api: Api, get: Get) -> None:
    api.on("GET /people", lambda _: Answer(json=[]))
    assert get(f"{api.root}/people").json() == []


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_they_can_be_removed_and_leave_the_library_as_it_was(library: str) -> None:
    module = importlib.import_module(library)
    kinds = module.Client, module.AsyncClient
    before = [dict(vars(kind)) for kind in kinds]
    instrument(library)
    assert [dict(vars(kind)) for kind in kinds] != before
    uninstrument(library)
    assert [dict(vars(kind)) for kind in kinds] == before


def test_requests_can_be_removed() -> None:
    before = requests.Session.send
    instrument("requests")
    uninstrument("requests")
    assert requests.Session.send is before


def test_urllib3_beneath_requests_is_told_once(api: Api, trace: Trace) -> None:
    before = urllib3.HTTPConnectionPool.urlopen
    instrument("urllib3")
    instrument("requests")
    api.on("GET /people", lambda _: Answer(json=[]))
    by_requests(f"{api.root}/people")
    assert call(trace).calls == 1
    uninstrument("requests")
    by_requests(f"{api.root}/people")
    assert (call(trace).calls, call(trace).failed) == (2, 0)
    uninstrument("urllib3")
    assert urllib3.HTTPConnectionPool.urlopen is before


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_what_is_gathered_is_told_where_it_was_asked_for(api: Api, library: str) -> None:
    instrument(library)
    api.on("GET /people", lambda _: Answer(json=[]))
    client_class = importlib.import_module(library).AsyncClient

    async def main() -> Trace:
        async with client_class() as client:
            with traced() as trace:
                await asyncio.gather(*[client.get(f"{api.root}/people") for _ in range(3)])
                await asyncio.create_task(client.send(client.build_request("GET", f"{api.root}/people")))
            return trace

    seen = call(asyncio.run(main()))
    assert seen.calls == 4
    assert [(site.file, site.calls) for site in seen.sites] == [(__file__, 3)]  # nobody's code is beneath the last
