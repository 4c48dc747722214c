"""What can go wrong with a whole call, and what is still known afterwards."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest

from penstock.connectors import scim
from penstock.domain.errors import ConfigurationError, Stopping, Throttled, Unavailable
from penstock.domain.records import Done, Rejected, Subject
from penstock.sync.declaring.ports import Run
from tests.connectors.scim.changes import changed, gone, ids, new
from tests.servers.scim import TOKEN, FaultyProxy, free_port

Stored = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def target(way: str) -> str:
    """The path of a write of users."""
    return "/Bulk" if way == "bulk" else "/Users"


def test_a_destination_that_is_down() -> None:
    with scim.connect(f"http://127.0.0.1:{free_port()}/v2") as client:
        run = Run(Subject("s"), client=client)
        with pytest.raises(Unavailable, match="cannot connect to http://127.0.0.1") as caught:
            scim.Users.create([new("ada")], run)
        assert not caught.value.sent
        assert run.calls.total == 0


def test_a_host_that_does_not_exist() -> None:
    with scim.connect("http://scim.invalid/v2") as client, pytest.raises(Unavailable) as caught:
        scim.Users.find(["x"], Run(Subject("s"), client=client))
    assert not caught.value.sent


def test_a_refused_connection_in_the_middle_is_not_in_doubt(server: Any) -> None:
    """The server vanishes after it has said what it offers."""
    with FaultyProxy(server.tenant("vanishes")) as proxy:
        client = scim.connect(proxy.url, token=TOKEN)
        client.offers(Run(Subject("s")).calls)
        client.close()
        offers = client._offers
    with scim.connect(proxy.url, token=TOKEN) as again:
        again._offers = offers
        with pytest.raises(Unavailable) as caught:
            scim.Users.create([new("ada")], Run(Subject("s"), client=again))
    assert not caught.value.sent


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_fault_leaves_the_call_in_doubt(run: Run, proxy: FaultyProxy, target: str, status: int) -> None:
    proxy.answer(status, b"oops", {"Content-Type": "text/plain"}, path=target)
    with pytest.raises(Unavailable, match=f"expected a SCIM answer, got status {status}, text/plain: 'oops'") as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.sent
    assert caught.value.outcomes == ()
    assert caught.value.retry_after is None


def test_503_with_retry_after(run: Run, proxy: FaultyProxy, target: str) -> None:
    proxy.error(503, headers={"Retry-After": "120"}, path=target)
    with pytest.raises(Unavailable, match="asks to wait 120 s") as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.retry_after == 120


@pytest.mark.parametrize(("header", "seconds"), [
    ("7", 7.0), ("0.5", 0.5), ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0), ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0),
    ("soon", None), ("-3", None), (None, None),
])
def test_throttled_says_how_long_to_wait(run: Run, proxy: FaultyProxy, target: str, header: str | None,
                                        seconds: float | None) -> None:
    headers = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", **({"Retry-After": header} if header else {})}
    proxy.error(429, path=target, headers=headers)
    with pytest.raises(Throttled, match="429") as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.retry_after == seconds


def test_garbage(run: Run, proxy: FaultyProxy, target: str, stored: Stored) -> None:
    proxy.garbage(path=target)
    expected = r"POST .*: expected a JSON object, got status 200, text/html: '<html>Welcome.*; check that the URL"
    with pytest.raises(Unavailable, match=expected) as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.sent


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"\xff\xfe", b"[" * 5000, b"{}", b'{"Operations": 3}',
                                  b'{"Operations": [3, {"status": "x"}, {"bulkId": "0"}]}',
                                  b'{"Operations": [{"bulkId": "0", "method": "POST", "status": "201"}]}'])
def test_answers_of_an_unexpected_shape(run: Run, proxy: FaultyProxy, target: str, body: bytes) -> None:
    proxy.answer(200, body, {"Content-Type": "application/scim+json"}, path=target)
    with pytest.raises(Unavailable, match="expected") as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.sent


def test_garbage_instead_of_the_service_provider_config(run: Run, proxy: FaultyProxy) -> None:
    proxy.garbage(path="/ServiceProviderConfig")
    with pytest.raises(Unavailable, match="GET /ServiceProviderConfig: expected a JSON object") as caught:
        scim.Users.create([new("ada")], run)
    assert not caught.value.sent, "a read leaves nothing in doubt"
    assert len(ids(scim.Users.create([new("ada")], run))) == 1, "and it is asked again"


def test_no_service_provider_config_means_neither_bulk_nor_etags(run: Run, proxy: FaultyProxy) -> None:
    proxy.answer(404, path="/ServiceProviderConfig", times=None)
    (done,) = scim.Users.create([new("ada")], run)
    assert isinstance(done, Done)
    ids(scim.Users.update([changed(done.remote_id or "", {"displayName": "B"}, done.version)], run))
    assert [seen.method for seen in proxy.writes] == ["POST", "PATCH"]
    assert "If-Match" not in proxy.writes[-1].headers
    assert len([seen for seen in proxy.seen if seen.path == "/ServiceProviderConfig"]) == 1


def test_no_service_at_all(run: Run, proxy: FaultyProxy) -> None:
    proxy.answer(404, b"no such page", times=None)
    with pytest.raises(Unavailable, match="expected a SCIM 2.0 service, got status 404") as caught:
        scim.Users.create([new("ada")], run)
    assert not caught.value.sent


def test_a_redirect(run: Run, proxy: FaultyProxy, target: str) -> None:
    proxy.answer(301, headers={"Location": "https://elsewhere/"}, path=target)
    with pytest.raises(Unavailable, match="redirect .301. to https://elsewhere/") as caught:
        scim.Users.create([new("ada")], run)
    assert not caught.value.sent


def test_an_answer_lost_before_and_after(run: Run, proxy: FaultyProxy, target: str, stored: Stored) -> None:
    proxy.drop_before(path=target)
    with pytest.raises(Unavailable, match="broke before the answer was whole") as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.sent
    proxy.drop_after(path=target)
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new("ada")], run)
    assert caught.value.sent
    assert [user["id"] for user in stored("Users")] == [scim.Users.find(["ada@example.org"], run)["ada@example.org"]]


def test_a_server_that_does_not_answer_in_time(proxy: FaultyProxy, target: str) -> None:
    proxy.hang(path=target)
    with scim.connect(proxy.url, token=TOKEN, timeout=0.2) as client, \
            pytest.raises(Unavailable, match="no whole answer .* within 0.2 s") as caught:
        scim.Users.create([new("ada")], Run(Subject("s"), client=client))
    assert caught.value.sent


def test_a_server_whose_answer_never_ends(proxy: FaultyProxy, target: str) -> None:
    proxy.endless(path=target)
    with scim.connect(proxy.url, token=TOKEN, timeout=0.3) as client, \
            pytest.raises(Unavailable, match="no whole answer") as caught:
        scim.Users.create([new("ada")], Run(Subject("s"), client=client))
    assert caught.value.sent


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token(run: Run, proxy: FaultyProxy, status: int) -> None:
    proxy.error(status, path="/Bulk")
    with pytest.raises(Unavailable, match=f"refused the token .{status}.; check that the token") as caught:
        scim.Users.create([new("ada")], run)
    assert not caught.value.sent


def test_a_wrong_token_and_none(proxy: FaultyProxy) -> None:
    for token, said in (("wrong-token", "refused the token"), (None, "without a token .401.; give scim.connect")):
        with scim.connect(proxy.url, token=token) as client, pytest.raises(Unavailable, match=said) as caught:
            scim.Users.delete([gone("x")], Run(Subject("s"), client=client))
        assert not caught.value.sent


def test_the_token_is_never_shown(run: Run, proxy: FaultyProxy, client: scim.Client, way: str, target: str,
                                  caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = [repr(client)]
    proxy.answer(500, f"you said Bearer {TOKEN}".encode(), path=target)
    proxy.garbage(f'"{TOKEN}"'.replace("/", "\\/").encode(), path=target)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            scim.Users.create([new("ada")], run)
        shown.append(str(caught.value))
    if way == "single":
        proxy.error(400, f"bad: {TOKEN}", path=target)
    else:
        proxy.rewrite("POST", "/Bulk", lambda answer: {"Operations": [
            {**each, "status": "400", "response": {"detail": f"bad: {TOKEN}"}} for each in answer["Operations"]]})
    (outcome,) = scim.Users.create([new("ada")], run)
    assert isinstance(outcome, Rejected)
    assert outcome.message == "bad: [redacted]"
    assert TOKEN not in "".join(shown) + caplog.text
    assert TOKEN.replace("/", "\\/") not in "".join(shown)


def test_a_later_chunk_that_fails_keeps_what_the_first_settled(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(bulk={"maxOperations": 2})
    proxy.drop_after(path="/Bulk", after=1)
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new(f"u{n}") for n in range(6)], run)
    outcomes = caught.value.outcomes
    assert [type(outcome) for outcome in outcomes] == [Done, Done, type(None), type(None)]
    assert not caught.value.sent, "what lies beyond the outcomes was never sent"


def test_a_last_chunk_that_fails_is_in_doubt(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(bulk={"maxOperations": 2})
    proxy.drop_after(path="/Bulk", after=1)
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new(f"u{n}") for n in range(4)], run)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Done, Done]
    assert caught.value.sent


def test_a_later_chunk_that_is_throttled(run: Run, proxy: FaultyProxy) -> None:
    proxy.offer(bulk={"maxOperations": 2})
    proxy.error(429, path="/Bulk", after=1)
    with pytest.raises(Throttled) as caught:
        scim.Users.create([new(f"u{n}") for n in range(6)], run)
    assert len(caught.value.outcomes) == 2


def test_a_single_call_that_fails_keeps_what_the_others_settled(run: Run, proxy: FaultyProxy, singly: None) -> None:
    proxy.drop_after(path="/Users", after=1)
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new(f"u{n}") for n in range(4)], run)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Done, type(None)]
    assert not caught.value.sent
    assert len(proxy.writes) == 2


def test_one_record_that_upsets_the_server_does_not_stop_the_others(run: Run, proxy: FaultyProxy,
                                                                   singly: None) -> None:
    proxy.error(500, path="/Users", having="bob", times=None)
    proxy.error(403, "not that one", path="/Users", having="cyd", times=None)
    outcomes = scim.Users.create([new(name) for name in ("ada", "bob", "cyd", "dan")], run)
    assert outcomes[1] is None
    assert outcomes[2] == Rejected("403", "not that one")
    assert len(ids([outcomes[0], outcomes[3]])) == 2


def test_three_server_faults_in_a_row_are_the_destinations(run: Run, proxy: FaultyProxy, singly: None) -> None:
    proxy.error(500, path="/Users", after=1, times=None)
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new(f"u{n}") for n in range(9)], run)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Done] + [type(None)] * 3
    assert not caught.value.sent
    assert len(proxy.writes) == 4


def test_three_refusals_in_a_row_are_about_the_token(run: Run, proxy: FaultyProxy, singly: None) -> None:
    proxy.error(403, path="/Users", after=1, times=None)
    with pytest.raises(Unavailable, match="refused the token") as caught:
        scim.Users.create([new(f"u{n}") for n in range(9)], run)
    assert len(caught.value.outcomes) == 1, "a refusal carries nothing out"
    assert not caught.value.sent


def test_refusals_and_faults_in_a_row_keep_their_answers(run: Run, proxy: FaultyProxy, singly: None) -> None:
    for name, status in (("bob", 403), ("cyd", 500), ("dan", 403)):
        proxy.error(status, "no", path="/Users", having=name)
    with pytest.raises(Unavailable) as caught:
        scim.Users.create([new(name) for name in ("ada", "bob", "cyd", "dan", "eve")], run)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Done, Rejected, type(None), Rejected]
    assert not caught.value.sent


def test_a_stop_between_two_calls_keeps_what_was_settled(run: Run, proxy: FaultyProxy, way: str) -> None:
    proxy.offer(bulk={"maxOperations": 1})
    checks = iter([None, None, Stopping("the worker stops")])

    def check() -> None:
        if error := next(checks):
            raise error

    run.check = check
    with pytest.raises(Stopping) as caught:
        scim.Users.create([new(f"u{n}") for n in range(4)], run)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Done, Done]


def test_one_connection_is_used_again(run: Run, proxy: FaultyProxy, singly: None) -> None:
    ids(scim.Users.create([new(f"u{n}") for n in range(5)], run))
    assert len(proxy.seen) == 6
    assert proxy.connections == 1


def test_the_media_type_is_that_of_scim(run: Run, proxy: FaultyProxy, way: str) -> None:
    ids(scim.Users.create([new("ada")], run))
    assert proxy.writes[0].headers["Content-Type"] == "application/scim+json"
    assert proxy.writes[0].headers["Accept"].startswith("application/scim+json")


@pytest.mark.parametrize("url", ["", "ftp://x/", "example.com/scim", "http://", 7, None])
def test_a_url_that_cannot_be_one(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected the base URL of a SCIM service"):
        scim.connect(url)


def test_every_fault_of_connect_is_told_at_once_without_secrets() -> None:
    with pytest.raises(ConfigurationError) as caught:
        scim.connect("ftp://me:hunter2@x/", token="sécret", timeout=0)
    assert len(caught.value.faults) == 3
    assert "hunter2" not in str(caught.value)
    assert "sécret" not in str(caught.value)


def test_a_token_read_with_its_line_end_works(proxy: FaultyProxy) -> None:
    with scim.connect(proxy.url + "/", token=f" {TOKEN}\n") as client:
        assert list(client.resources("Users")) == []


def test_a_password_in_the_url_is_not_shown() -> None:
    with scim.connect(f"http://me:hunter2@127.0.0.1:{free_port()}/v2") as client, \
            pytest.raises(Unavailable) as caught:
        list(client.resources("Users"))
    assert "hunter2" not in str(caught.value) + repr(client)


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch,
                                                              proxy: FaultyProxy) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with scim.connect(proxy.url, token=TOKEN) as client:
        assert list(client.resources("Users")) == []


def test_a_listener_that_speaks_no_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, \
            scim.connect(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2) as client, \
            pytest.raises(Unavailable) as caught:
        list(client.resources("Users"))
    assert not caught.value.sent
