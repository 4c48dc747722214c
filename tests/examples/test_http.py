"""The example of a connector over HTTP, between two real servers that misbehave, on both stores."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from tests.clock import Clock
from tests.connectors.http.server import Act, Answer, Api, Seen, drop, paged
from tests.engine import Engine
from tests.examples.imported import imported

EXAMPLE = Path(__file__).parents[2] / "examples" / "http"


class Shop:
    """Customers in pages of three, for whoever has the key."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.customers = [{"id": number, "email": f"c{number}@example.com", "name": f"name {number}", "since": 2020}
                          for number in range(8)]
        api.on("GET /lists/regulars/customers", self.page)

    def page(self, seen: Seen) -> Answer:
        assert seen.headers["x-api-key"] == "shop-key"
        pages, number = paged(self.customers, 3), int(seen.params.get("after", 0))
        return Answer(json={"customers": pages[number], "next": number + 1 if number + 1 < len(pages) else None})


class Newsletter:
    """Subscribers, for whoever has its latest token. It keeps idempotency keys."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.tokens = 0
        self.subscribers: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.lost = 0
        api.on("POST /token", self.token)
        api.on("POST /subscribers", self.create)
        api.on("GET /subscribers", self.find)

    def token(self, seen: Seen) -> Answer:
        assert seen.form["grant_type"] == "client_credentials"
        self.tokens += 1
        return Answer(json={"access_token": f"token-{self.tokens}", "token_type": "bearer", "expires_in": 3600})

    def create(self, seen: Seen) -> Answer | Act:
        if seen.headers["authorization"] != f"Bearer token-{self.tokens}":
            return Answer(401)
        if "@" not in seen.json["email"]:
            return Answer(422, json={"error": "no e-mail address"})
        remote_id = self.keys.setdefault(seen.headers["idempotency-key"], f"s{len(self.keys) + 1}")
        self.subscribers[remote_id] = seen.json
        self.api.on(f"PATCH /subscribers/{remote_id}", lambda seen: self.update(remote_id, seen))
        self.api.on(f"DELETE /subscribers/{remote_id}", lambda seen: self.delete(remote_id))
        if self.lost:
            self.lost -= 1
            return drop(seen)
        return Answer(201, json={"subscriber": {"id": remote_id}})

    def update(self, remote_id: str, seen: Seen) -> Answer:
        self.subscribers[remote_id] = seen.json
        return Answer(200, json={})

    def delete(self, remote_id: str) -> Answer:
        return Answer(204) if self.subscribers.pop(remote_id, None) else Answer(404)

    def find(self, seen: Seen) -> Answer:
        return Answer(json={"subscribers": [{"id": key, **each} for key, each in self.subscribers.items()
                                            if each["email"] == seen.params["email"]]})

    @property
    def emails(self) -> list[str]:
        return sorted(each["email"] for each in self.subscribers.values())


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Api() as api:
        yield Shop(api)


@pytest.fixture
def newsletter() -> Iterator[Newsletter]:
    with Api() as api:
        yield Newsletter(api)


@pytest.fixture
def engine(store_url: str, clock: Clock, shop: Shop, newsletter: Newsletter,
           monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    for name, value in {"SHOP_URL": shop.api.url, "SHOP_KEY": "shop-key", "NEWSLETTER_URL": newsletter.api.url,
                        "NEWSLETTER_SECRET": "s3cret", "PENSTOCK_URL": store_url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("penstock.Penstock", partial(Penstock, now=clock.expression))
    with imported(EXAMPLE / "newsletter.py", monkeypatch) as module:
        yield Engine(module.app, clock)


def later(engine: Engine) -> None:
    """What was put off is tried again."""
    engine.clock.advance(20)
    engine.settle_all()


def test_it_brings_the_newsletter_up_to_date(engine: Engine, shop: Shop, newsletter: Newsletter):
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.status, run.read, run.created, run.write_calls, run.read_calls) == ("succeeded", 8, 8, 8, 3)
    assert newsletter.emails == sorted(str(each["email"]) for each in shop.customers)
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.skipped, run.write_calls) == (8, 0)
    shop.customers[2]["name"] = "another"
    del shop.customers[5]
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.updated, run.deleted, run.write_calls) == (1, 1, 2)
    assert newsletter.emails == sorted(str(each["email"]) for each in shop.customers)
    assert newsletter.tokens == 1, "the runs share a token"
    assert newsletter.api.connections == 2, "a connection for each run that had something to send"


def test_what_goes_wrong_loses_nothing_and_doubles_nobody(engine: Engine, shop: Shop, newsletter: Newsletter):
    shop.customers[3]["email"] = "nowhere"
    newsletter.lost = 1
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.status, run.error_class) == ("pending", "Unavailable")
    newsletter.api.on("POST /subscribers", Answer(429, headers={"Retry-After": "7"}), newsletter.create)
    later(engine)
    newsletter.tokens += 1  # the token that the sync has is good no more
    later(engine)
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert run.status == "succeeded"
    assert newsletter.emails == sorted(str(each["email"]) for each in shop.customers if each["id"] != 3)
    assert len(newsletter.keys) == 7
    assert engine.state("Subscribers")["3"][2] == "422"
    shop.customers[3]["email"] = "c3@example.com"
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.status, run.created, run.write_calls) == ("succeeded", 1, 1)
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.skipped, run.write_calls) == (8, 0)


def test_a_page_that_names_no_next_one_and_never_did_proves_nothing(engine: Engine, shop: Shop, newsletter: Newsletter):
    engine.sync("newsletter", "regulars", account="tea-shop")
    shop.api.on("GET /lists/regulars/customers", Answer(json={"customers": shop.customers[:3]}))
    [run] = engine.sync("newsletter", "regulars", account="tea-shop")
    assert (run.status, run.deleted) == ("succeeded", 0)
    assert len(newsletter.subscribers) == 8
