"""The limited transport, over a transport that answers as a test says: what it spends, and what closes the gate."""

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from penstock import Penstock, Rate
from penstock.connectors.http import AsyncLimitedTransport, LimitedTransport, connect
from penstock.domain.errors import GateClosed, Throttled
from tests.connectors.http.server import Answer, Api

Answering = Callable[[httpx2.Request], httpx2.Response]
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def crm(app: Penstock) -> Penstock:
    app.limits(Rate(1000, per="second", by="crm"))
    return app


def client(app: Penstock, answer: Answering) -> httpx2.Client:
    return httpx2.Client(transport=LimitedTransport(app.limit("crm", timeout=0), httpx2.MockTransport(answer)))


def test_a_request_spends_a_permit_and_its_answer_comes_as_it_is(crm: Penstock):
    with client(crm, lambda request: httpx2.Response(404, text="gone")) as http:
        assert http.get("http://api/7").text == "gone"
    assert crm.spending.round_trips()[1] == 1
    assert crm.gate("crm").state == "open"


@pytest.mark.parametrize(("status", "headers"), [(429, {}), (429, {"Retry-After": "30"}), (503, {"Retry-After": "30"}),
                                                 (429, {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"})])
def test_an_answer_that_asks_for_a_pause_closes_the_gate(crm: Penstock, status: int, headers: dict[str, str]):
    with client(crm, lambda request: httpx2.Response(status, headers=headers)) as http:
        assert http.get("http://api/7").status_code == status
        with pytest.raises(GateClosed):
            http.get("http://api/7")


def test_errors_of_the_connection_in_a_row_close_it_too(crm: Penstock):
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with client(crm, broken) as http:
        for _ in range(3):
            with pytest.raises(httpx2.ConnectError, match="refused"):
                http.get("http://api/7")
    assert crm.gate("crm").state == "closed"


def test_the_same_on_an_event_loop(crm: Penstock):
    async def twice() -> int:
        transport = AsyncLimitedTransport(crm.limit("crm", timeout=0), httpx2.MockTransport(
            lambda request: httpx2.Response(429, headers={"Retry-After": "30"})))
        async with httpx2.AsyncClient(transport=transport) as http:
            status = (await http.get("http://api/7")).status_code
            with pytest.raises(GateClosed):
                await http.get("http://api/7")
        return status

    assert asyncio.run(twice()) == 429


def test_the_client_of_the_connectors_spends_as_well(crm: Penstock):
    with Api() as api, connect(api.url, limit=crm.limit("crm", timeout=0)) as http:
        api.on("GET /people", Answer(429, headers={"Retry-After": "30"}))
        with pytest.raises(Throttled):
            http.get(None, "/people")
        with pytest.raises(GateClosed):
            http.get(None, "/people")
        assert len(api.seen) == 1
