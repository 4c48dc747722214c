"""What can go wrong with a whole call: which error it becomes, and whether it says truly what was sent."""

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from penstock.connectors import http
from penstock.connectors.http.retry import LONGEST_SECONDS
from penstock.connectors.http.sending import Countdown
from penstock.domain.errors import ConfigurationError, DestinationError, Throttled, Unavailable
from penstock.domain.records import Subject
from penstock.sync.declaring.ports import Run
from tests.connectors.http.server import Answer, Api, cut_off, drop, hang, slow_head, trickle

SECRET = "s3cr3t/t0ken+with=\"signs\""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def failed(client: http.Client, run: Run, method: str = "POST") -> DestinationError:
    with pytest.raises(DestinationError) as caught:
        client.request(run, method, "/people")
    return caught.value


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7.0), ("0.5", 0.5), ("0", 0.0), ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
    ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0), ("Wed Oct 21 07:28:30 2026", 30.0),
    ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0), ("9" * 400, LONGEST_SECONDS),
    ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_SECONDS),
    ("soon", None), ("-3", None), ("", None), (None, None),
])
@pytest.mark.parametrize("status", [429, 503])
def test_a_destination_that_asks_to_wait(
        api: Api, client: http.Client, run: Run, status: int, header: str | None, seconds: float | None):
    headers = {} if header is None else {"Retry-After": header}
    api.on("POST /people", Answer(status, headers=headers, date="Wed, 21 Oct 2026 07:28:00 GMT"))
    error = failed(client, run)
    if status == 503 and seconds is None:
        assert isinstance(error, Unavailable)
        assert error.sent
        return
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds
    assert f"POST /people: the destination refused the call for its rate or load ({status})" in str(error)
    assert run.calls.write == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408])
def test_a_fault_of_the_server_leaves_a_write_in_doubt(api: Api, client: http.Client, run: Run, status: int):
    api.on("POST /people", Answer(status, b"oops"))
    api.on("GET /people", Answer(status, b"oops", headers={"Retry-After": "9"} if status != 503 else {}))
    error = failed(client, run)
    assert isinstance(error, Unavailable)
    assert error.sent
    assert f"POST /people: expected an answer, got status {status}, text/plain: 'oops'" in str(error)
    error = failed(client, run, "GET")
    assert isinstance(error, Unavailable)
    assert not error.sent
    assert error.retry_after == (9 if status != 503 else None)


@pytest.mark.parametrize(("status", "sent"), [(301, True), (302, True), (303, True), (307, False), (308, False)])
def test_a_redirect_is_not_followed(api: Api, client: http.Client, run: Run, status: int, sent: bool):
    api.on("POST /people", Answer(status, headers={"Location": "https://elsewhere.example.com/x?token=s3cret"}))
    error = failed(client, run)
    assert isinstance(error, Unavailable)
    assert error.sent == sent
    assert f"got a redirect ({status}) to https://elsewhere.example.com/x; give" in str(error)


@pytest.mark.parametrize("status", [401, 407])
def test_refused_credentials_changed_nothing(api: Api, run: Run, status: int):
    api.on("POST /people", Answer(status, b"who are you?"))
    with http.connect(api.url, auth=http.Bearer("token-1")) as client:
        error = failed(client, run)
    assert isinstance(error, Unavailable)
    assert not error.sent
    assert "got status 401" in str(error) or status == 407
    assert len(api.seen) == 1


def test_a_destination_that_is_down():
    with http.connect(f"http://127.0.0.1:{free_port()}/v2", timeout=5) as client:
        run = Run(Subject("g1"), client=client)
        error = failed(client, run)
    assert isinstance(error, Unavailable)
    assert not error.sent
    assert "POST /people: cannot connect to http://127.0.0.1" in str(error)
    assert run.calls.total == 0


def test_the_same_trouble_reads_the_same_for_every_record():
    with http.connect(f"http://127.0.0.1:{free_port()}/v2", timeout=5) as client:
        said = set()
        for number in range(3):
            with pytest.raises(Unavailable) as caught:
                client.delete(None, "/people/{}", number)
            said.add(str(caught.value))
    assert len(said) == 1


def test_a_host_that_does_not_exist():
    with http.connect("http://api.invalid", timeout=5) as client:
        error = failed(client, Run(Subject("g1")))
    assert isinstance(error, Unavailable)
    assert not error.sent


@pytest.fixture
def silent() -> Iterator[str]:
    """A server whose queue of connections is full, so that none is made."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(4):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(listening.getsockname())
            waiting.append(connection)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for connection in waiting:
            connection.close()


def test_a_connection_that_is_not_made_in_time_sent_nothing(silent: str):
    run = Run(Subject("g1"), remaining=lambda: 0.6)
    with http.connect(silent, timeout=5) as client:
        error = failed(client, run)
    assert isinstance(error, Unavailable)
    assert not error.sent
    assert "no connection within 0.3 s" in str(error)
    assert run.calls.total == 0


@pytest.mark.parametrize("fault", [drop, cut_off, hang, slow_head, trickle])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_answer_that_is_lost(api: Api, fault: Callable[..., Any], method: str):
    api.on(f"{method} /people", fault)
    with http.connect(api.url, timeout=0.3) as client:
        run = Run(Subject("g1"), client=client)
        error = failed(client, run, method)
    assert isinstance(error, Unavailable)
    assert error.sent == (method == "POST")
    assert str(error).startswith(f"{method} /people: ")
    assert (run.calls.read, run.calls.write) == ((0, 1) if method == "POST" else (1, 0))


def test_the_time_that_a_pool_was_waited_for_is_not_had_twice():
    """Every phase gets what is left of the whole, so a request is never begun after its time."""
    countdown = Countdown(0.0)
    with pytest.raises(Exception, match="no time is left to connect"):
        countdown.get("connect")
    assert not countdown.began


def test_an_answer_that_is_too_long(api: Api, client: http.Client, run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("penstock.connectors.http.sending.ANSWER_BYTES", 100)
    api.on("POST /people", Answer(body=b"x" * 101))
    error = failed(client, run)
    assert isinstance(error, Unavailable)
    assert error.sent
    assert "longer than 100 bytes" in str(error)


def test_garbage_in_the_place_of_http(run: Run):
    with socket.create_server(("127.0.0.1", 0)) as server, \
            http.connect(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=5) as client:
        def serve() -> None:
            connection, _ = server.accept()
            with closing(connection):
                connection.recv(10_000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        error = failed(client, run)
        thread.join()
    assert isinstance(error, Unavailable)
    assert error.sent


def test_a_compressed_answer_that_is_damaged(api: Api, client: http.Client, run: Run):
    api.on("GET /people", Answer(body=b"not gzip", headers={"Content-Encoding": "gzip"}))
    assert isinstance(failed(client, run, "GET"), Unavailable)


def credentials() -> dict[str, Any]:
    return {"bearer": {"auth": http.Bearer(SECRET)}, "basic": {"auth": http.Basic("me", SECRET)},
            "name": {"auth": http.Basic(SECRET, "")}, "key": {"auth": http.ApiKey(SECRET, header="X-Shop-Key")},
            "header": {"headers": {"X-Api-Key": SECRET}},
            "both": {"auth": http.Bearer("other-token"), "headers": {"X-Api-Key": SECRET}}}


@pytest.mark.parametrize("kind", list(credentials()))
def test_secrets_are_sent_and_shown_nowhere(
        api: Api, run: Run, kind: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    def echo(status: int) -> Callable[..., Answer]:
        return lambda seen: Answer(status, json={"you": dict(seen.headers), "plain": SECRET})

    api.on("POST /people", echo(500), echo(400), echo(401), echo(418), echo(200))
    with http.connect(api.url, **credentials()[kind]) as client:
        told.append(repr(client) + repr(credentials()[kind].get("auth")))
        for call in (lambda: client.post(run, "/people"), lambda: client.post(run, "/people").json(),
                     lambda: client.post(run, "/people")):
            with pytest.raises(DestinationError) as caught:
                call()
            told += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
        told += [repr(client.post(run, "/people").outcome()), repr(client.post(run, "/people"))]
    assert SECRET in str(api.seen[0].headers.values()) or kind in ("basic", "name")
    shown = "".join(told) + caplog.text
    for form in (SECRET, SECRET.replace('"', '\\"'), SECRET.replace("/", "\\/"), "czNjcjN0"):
        assert form not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize("make", [lambda: http.Bearer("s3crét"), lambda: http.Bearer(""), lambda: http.Bearer("a\nb"),
                                  lambda: http.Bearer(None), lambda: http.ApiKey("a", header=""),
                                  lambda: http.Basic("a:b", "s3cret"), lambda: http.Basic("a", None)])
def test_credentials_that_cannot_work(make: Callable[[], Any]):
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert "s3cr" not in str(caught.value)


def test_white_space_around_a_secret_is_no_part_of_it(api: Api, run: Run):
    api.on("GET /people", Answer(json=[]))
    with http.connect(api.url, auth=http.Bearer("token-1\n")) as client:
        client.get(run, "/people")
    assert api.seen[0].headers["authorization"] == "Bearer token-1"
