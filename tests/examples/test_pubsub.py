"""The push handler as Pub/Sub uses it, over HTTP: in order by shop, messages twice or without sense, and killed."""

import base64
import json
import random
import signal
import sqlite3
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.connectors.http.server import Answer, Api, Seen
from tests.examples.crowd import most_at_once
from tests.processes import Child, python
from tests.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "pubsub"
SHOPS = {f"shop-{shop}": [f"{shop}-{number}" for number in range(4)] for shop in "abc"}


@pytest.fixture
def tills() -> Iterator[Api]:
    with Api() as api:
        for prices in SHOPS.values():
            for price in prices:
                api.on(f"PUT /prices/{price}", Answer(204))
        yield api


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    path = tmp_path / "shops.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table price (id text primary key, cents integer)")
        connection.executemany("insert into price values (?, ?)", [(id, 100) for ids in SHOPS.values() for id in ids])
    return path


class Service:
    """The handler in a process of its own, and how Pub/Sub speaks with it."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.url = f"http://127.0.0.1:{child.line('listening on').rpartition(' ')[2]}"

    def post(self, body: bytes, path: str = "/push?token=t0ken") -> int:
        request = urllib.request.Request(self.url + path, body, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def push(self, **asked: Any) -> int:
        data = base64.b64encode(json.dumps(asked).encode()).decode()
        return self.post(json.dumps({"message": {"data": data, "messageId": str(random.random()),
                                                 "orderingKey": asked.get("shop")}}).encode())


@pytest.fixture
def starting(store_url: str, tills: Api, shops: Path) -> Any:
    @contextmanager
    def start(deadline: str = "60", lease: str = "30") -> Iterator[Service]:
        code = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('push.py', run_name='__main__')"
        with python(code, "0", folder=EXAMPLE, PENSTOCK_URL=store_url, SHOPS=f"sqlite:///{shops}", TILLS_URL=tills.url,
                    PUSH_TOKEN="t0ken", PUSH_DEADLINE=deadline, PENSTOCK_LEASE_SECONDS=lease) as child:
            yield Service(child)

    return start


def test_messages_are_served_in_order_by_shop_and_duplicates_do_no_harm(starting: Any, tills: Api, clock: Clock):
    answers: dict[str, list[int]] = defaultdict(list)

    def subscription(shop: str) -> None:
        """With an ordering key the next message is pushed once the one before is acknowledged."""
        for price in SHOPS[shop]:
            answers[shop] += [service.push(price=price, shop=shop) for _ in range(2)]

    with starting() as service:
        pushing = [threading.Thread(target=subscription, args=(shop,)) for shop in SHOPS]
        for thread in pushing:
            thread.start()
        for thread in pushing:
            thread.join(60)
    assert answers == {shop: [204] * 8 for shop in SHOPS}
    came = [seen.path.removeprefix("/prices/") for seen in tills.seen]
    for shop, prices in SHOPS.items():
        assert [price for price in came if price in prices] == prices, f"{shop}: each once, in order"
    runs = clock.fetch("select account, started_at, finished_at from penstock.sync_runs where status = 'succeeded'")
    most = most_at_once(runs)  # type: ignore[arg-type]
    assert {most[shop] for shop in SHOPS} == {1}
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_makes_no_sense_is_not_pushed_for_ever(starting: Any, tills: Api, clock: Clock):
    with starting() as service:
        for body in (b"", b"{", b"[]", b'{"message": {}}', b'{"message": {"data": "%%", "messageId": "1"}}',
                     b'{"message": {"data": "e30=", "messageId": "1"}}'):
            assert service.post(body) == 204
        assert service.push(price="a\0", shop="shop-a") == 204
        assert service.post(b"{}", "/push?token=other") == 403
        assert service.post(b"{}", "/else?token=t0ken") == 404
        assert service.post(b"", "/drain?token=t0ken") == 204
    assert clock.fetch("select count(*) from penstock.sync_runs") == [(0,)]
    assert tills.seen == []


def test_a_process_that_is_killed_loses_nothing(starting: Any, tills: Api, clock: Clock):
    asked, go = threading.Event(), threading.Event()

    def stuck(seen: Seen) -> Answer:
        asked.set()
        go.wait(60)
        return Answer(204)

    def push() -> None:
        with pytest.raises(OSError, match="[Rr]emote|reset|closed"):
            service.push(price="a-0", shop="shop-a")

    tills.on("PUT /prices/a-0", stuck, Answer(204))
    with starting(lease="1") as service:
        pushing = threading.Thread(target=push)
        pushing.start()
        assert asked.wait(60)
        service.child.process.kill()
        pushing.join(60)
    go.set()
    with starting() as service:
        # Nobody acknowledged it: it is pushed again, until it was served. The lease of the killed one runs out first.
        until("the price is at the tills", lambda: service.push(price="a-0", shop="shop-a") == 204 and clock.fetch(
            "select count(*) from penstock.sync_runs where status <> 'succeeded'") == [(0,)])
    assert [seen.path for seen in tills.seen] == ["/prices/a-0"] * 2


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_signal_lets_what_is_under_way_end_and_has_the_rest_pushed_again(starting: Any, tills: Api, clock: Clock):
    asked, go = threading.Event(), threading.Event()
    answers: list[int] = []

    def stuck(seen: Seen) -> Answer:
        asked.set()
        go.wait(60)
        return Answer(204)

    tills.on("PUT /prices/a-0", stuck)
    with starting() as service:
        pushing = threading.Thread(target=lambda: answers.append(service.push(price="a-0", shop="shop-a")))
        pushing.start()
        assert asked.wait(60)
        service.child.signal(signal.SIGTERM)
        go.set()
        pushing.join(60)
        assert service.child.wait() == 0
    assert answers[-1] in (204, 503)
    assert clock.fetch("select status from penstock.sync_runs") in ([("succeeded",)], [("pending",)])
    assert clock.fetch("select count(*) from penstock.workers") == [(0,)]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_push_that_runs_out_of_time_asks_for_another(starting: Any, tills: Api, clock: Clock):
    def slow(seen: Seen) -> Answer:
        threading.Event().wait(0.4)
        return Answer(204)

    for price in SHOPS["shop-a"]:
        tills.on(f"PUT /prices/{price}", slow)
    answers = []
    with starting(deadline="1.2") as service:
        pushing = [threading.Thread(target=lambda price=price: answers.append(
            service.push(price=price, shop="shop-a"))) for price in SHOPS["shop-a"]]
        for thread in pushing:
            thread.start()
        for thread in pushing:
            thread.join(60)
        assert 503 in answers
        wanted = {f"/prices/{price}" for price in SHOPS["shop-a"]}
        until("what was left is served", lambda: service.post(b"", "/drain?token=t0ken") == 204 and wanted == {
            seen.path for seen in tills.seen})
