"""OAuth 2.0 client credentials: one token for many calls, threads and clients, renewed before it ends."""

import logging
import threading
import traceback
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

from penstock.connectors import http
from penstock.domain.errors import ConfigurationError, DestinationError, Throttled, Unavailable
from penstock.domain.records import Subject
from penstock.sync.declaring.ports import Run
from tests.connectors.http.server import Answer, Api, Seen, drop, hang

SECRET = "s3cr3t/of:the client"


class Server:
    """A token endpoint beside an API that takes only its latest token."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.now = 1000.0
        self.life: Any = 3600
        self.given = 0
        self.revoked: set[str] = set()
        api.on("POST /token", self.token)
        api.on("GET /people", self.people)
        api.on("POST /people", self.people)
        self.auth = self.credentials()

    def credentials(self, **options: Any) -> http.ClientCredentials:
        return http.ClientCredentials(f"{self.api.url}/token", client_id="me & co", client_secret=SECRET,
                                      clock=lambda: self.now, **options)

    def token(self, seen: Seen) -> Answer:
        self.given += 1
        life = {} if self.life is None else {"expires_in": self.life}
        return Answer(json={"access_token": f"token-{self.given}", "token_type": "Bearer", **life})

    def people(self, seen: Seen) -> Answer:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        return Answer(401, f"{token} is refused".encode()) if token in self.revoked else Answer(json={"token": token})

    @property
    def asked(self) -> int:
        return len(self.api.seen_of("POST /token"))


@pytest.fixture
def server(api: Api) -> Server:
    return Server(api)


def call(server: Server, run: Run | None = None) -> str:
    with http.connect(server.api.url, auth=server.auth, timeout=60) as client:
        return str(client.get(run, "/people").object()["token"])


def test_the_token_request_is_that_of_rfc_6749(server: Server):
    server.auth = server.credentials(scope="people.read people.write", extra={"audience": "https://api.example.com"})
    assert call(server) == "token-1"
    [seen] = server.api.seen_of("POST /token")
    assert seen.form == {"grant_type": "client_credentials", "scope": "people.read people.write",
                         "audience": "https://api.example.com"}
    assert b64decode(seen.headers["authorization"].removeprefix("Basic ")) == b"me+%26+co:s3cr3t%2Fof%3Athe+client"


def test_id_and_secret_may_be_in_the_body(server: Server):
    server.auth = server.credentials(secret_in_body=True)
    assert call(server) == "token-1"
    [seen] = server.api.seen_of("POST /token")
    assert seen.form == {"grant_type": "client_credentials", "client_id": "me & co", "client_secret": SECRET}
    assert "authorization" not in seen.headers


def test_a_token_serves_every_client_until_it_is_nearly_over(server: Server):
    assert [call(server), call(server)] == ["token-1", "token-1"]
    server.now += 3600 - 61
    assert call(server) == "token-1"
    server.now += 1
    assert call(server) == "token-2"
    assert server.asked == 2


@pytest.mark.parametrize(("life", "good_for"), [(8, 5.9), ("3600", 3539), (100.0, 74.9), (None, 1e9), ("soon", 1e9)])
def test_how_long_a_token_is_good_for(server: Server, life: Any, good_for: float):
    server.life = life
    call(server)
    server.now += good_for
    assert call(server) == "token-1"


@pytest.mark.parametrize("life", [0, -1])
def test_a_token_without_a_life_is_used_once(server: Server, life: int):
    server.life = life
    assert [call(server), call(server)] == ["token-1", "token-2"]


def test_tokens_are_no_calls_to_the_destination(server: Server):
    run = Run(Subject("g1"))
    call(server, run)
    assert (run.calls.read, run.calls.write) == (1, 0)


def test_a_token_that_is_refused_is_renewed_once(server: Server):
    run = Run(Subject("g1"))
    call(server)
    server.revoked = {"token-1"}
    assert call(server, run) == "token-2"
    assert run.calls.read == 2
    server.revoked = {"token-2", "token-3"}
    with http.connect(server.api.url, auth=server.auth) as client, pytest.raises(Unavailable) as caught:
        client.post(run, "/people", json={})
    assert not caught.value.sent
    assert str(caught.value).startswith("POST /people: the destination refused the credentials, got status 401,"
                                        " text/plain: '[redacted] is refused'")
    assert server.asked == 3


def test_a_write_is_sent_again_whole(server: Server):
    call(server)
    server.revoked = {"token-1"}
    with http.connect(server.api.url, auth=server.auth) as client:
        client.post(None, "/people", json={"name": "Ada"}, idempotency_key="k")
    first, second = server.api.seen_of("POST /people")
    assert (first.body, first.headers["idempotency-key"]) == (second.body, second.headers["idempotency-key"])


def test_while_it_is_renewed_others_go_on_with_the_token_they_have(server: Server):
    """One thread asks for a new token and hangs; the others do not wait, as the present one is still good."""
    call(server)
    server.now += 3600 - 30
    asked, answer = threading.Event(), threading.Event()

    def slowly(seen: Seen) -> Answer:
        asked.set()
        answer.wait(60)
        return server.token(seen)

    server.api.on("POST /token", slowly)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(call(server)))
    thread.start()
    assert asked.wait(60)
    assert [call(server), call(server)] == ["token-1", "token-1"]
    answer.set()
    thread.join()
    assert found == ["token-2"]
    assert call(server) == "token-2"
    assert server.asked == 2


def test_of_many_threads_without_a_token_one_asks(server: Server):
    asked, answer = threading.Event(), threading.Event()

    def slowly(seen: Seen) -> Answer:
        asked.set()
        answer.wait(60)
        return server.token(seen)

    server.api.on("POST /token", slowly)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(call(server))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert asked.wait(60)
    answer.set()
    for thread in threads:
        thread.join()
    assert found == ["token-1"] * 8
    assert server.asked == 1


def test_many_threads_whose_token_is_refused_get_one_new_one(server: Server):
    call(server)
    server.revoked = {"token-1"}
    together = threading.Barrier(4)

    def refuse(seen: Seen) -> Answer:
        if "token-1" in seen.headers["authorization"]:
            together.wait(60)  # all have been refused before any of them asks for another
        return server.people(seen)

    server.api.on("GET /people", refuse)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(call(server))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-2"] * 4
    assert server.asked == 2


def test_who_waits_for_a_token_waits_no_longer_than_its_call_may_take(server: Server):
    asked = threading.Event()

    def never(seen: Seen) -> Any:
        asked.set()
        return hang(seen)

    server.api.on("POST /token", never)
    errors: list[BaseException] = []

    def failing() -> None:
        with pytest.raises(Unavailable) as caught:
            call(server)
        errors.append(caught.value)

    first = threading.Thread(target=failing)
    first.start()
    assert asked.wait(60)
    with http.connect(server.api.url, auth=server.auth, timeout=0.2) as client, pytest.raises(Unavailable) as caught:
        client.get(None, "/people")
    assert "another thread has waited for a token" in str(caught.value)
    assert not caught.value.sent
    server.api.ended.set()
    first.join()
    assert server.asked == 1
    assert len(errors) == 1


def test_a_renewal_that_fails_is_left_alone_while_the_token_is_good(server: Server):
    call(server)
    server.now += 3600 - 30
    server.api.on("POST /token", Answer(500))
    assert [call(server), call(server)] == ["token-1", "token-1"]
    assert server.asked == 2
    server.now += 6
    assert call(server) == "token-1"
    assert server.asked == 3
    server.now += 25
    with pytest.raises(Unavailable):
        call(server)


REFUSALS: list[tuple[Any, str]] = [
    (Answer(401, json={"error": "invalid_client", "error_description": f"{SECRET} is wrong"}),
     "got status 401 (invalid_client: [redacted] is wrong); check client_id, client_secret and scope"),
    (Answer(400, json={"error": "invalid_scope"}), "got status 400 (invalid_scope)"),
    (Answer(404, b"nothing " + SECRET.encode()), "got status 404; check"),
    (Answer(500, b"oops"), "got status 500; check"),
    (Answer(302, headers={"Location": "https://elsewhere.example.com"}), "got status 302; check"),
    (Answer(200, b"<html>"), "expected a JSON object with a bearer token in access_token, got status 200 without one"),
    (Answer(200, json=[]), "got status 200 without one"),
    (Answer(200, json={"access_token": "a\nb"}), "got status 200 without one"),
    (Answer(200, json={"access_token": "hidden", "token_type": "mac"}), "got status 200 without one"),
    (Answer(200, json={"token": "hidden"}), "got status 200 without one"),
    (drop, "broke before the answer was whole"),
]


@pytest.mark.parametrize(("reaction", "said"), REFUSALS)
def test_without_a_token_nothing_is_sent(server: Server, reaction: Any, said: str):
    server.api.on("POST /token", reaction)
    run = Run(Subject("g1"))
    with http.connect(server.api.url, auth=server.auth) as client, pytest.raises(Unavailable) as caught:
        client.post(run, "/people", json={})
    assert not caught.value.sent
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"POST {server.api.url}/token: ")
    assert SECRET not in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert server.api.seen_of("POST /people") == []
    assert run.calls.total == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_token_endpoint_that_asks_to_wait(server: Server, status: int):
    server.api.on("POST /token", Answer(status, headers={"Retry-After": "9"}))
    with pytest.raises(Throttled) as caught:
        call(server)
    assert caught.value.retry_after == 9


def test_a_token_endpoint_takes_no_longer_than_the_lease(server: Server):
    server.api.on("POST /token", hang)
    with pytest.raises(Unavailable) as caught:
        call(server, Run(Subject("g1"), remaining=lambda: 0.4))
    assert not caught.value.sent


def test_secrets_and_tokens_are_shown_nowhere(server: Server, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    server.api.on("GET /people", lambda seen: Answer(500, json={"you": seen.headers, "secret": SECRET}))
    shown = [repr(server.auth)]
    with http.connect(server.api.url, auth=server.auth) as client:
        with pytest.raises(DestinationError) as caught:
            client.get(None, "/people")
        shown += [repr(client), repr(vars(client))]
    shown += ["".join(traceback.format_exception(caught.value)), caplog.text, repr(vars(server.auth)["_token"])]
    for word in (SECRET, "token-1", "Basic bWUr"):
        assert word not in "".join(shown)
    assert "[redacted]" in shown[3]
    assert shown[0] == f"http.ClientCredentials('{server.api.url}/token', client_id='me & co')"


@pytest.mark.parametrize(("options", "faults"), [
    ({"token_url": "login.example.com"}, 1), ({"token_url": "https://me:s3cret@login.example.com"}, 1),
    ({"client_id": ""}, 1), ({"client_secret": None}, 1),
    ({"token_url": None, "client_id": 7, "client_secret": " "}, 3),
])
def test_credentials_that_cannot_work(options: dict[str, Any], faults: int):
    given = {"token_url": "https://login.example.com/token", "client_id": "me", "client_secret": "s3cret", **options}
    make: Callable[..., Any] = http.ClientCredentials
    with pytest.raises(ConfigurationError) as caught:
        make(**given)
    assert len(caught.value.faults) == faults
    assert "s3cret" not in str(caught.value)
