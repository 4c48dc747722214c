"""What a call sends, what it gives back, and how it is counted and bounded."""

import ssl
import threading
import time
from typing import Any

import pytest

from penstock.connectors import http
from penstock.domain.errors import ConfigurationError, Refused, Unavailable
from penstock.domain.records import Done, Rejected, Subject
from penstock.sync.declaring.ports import Run
from tests.connectors.http.server import CERTIFICATE, Answer, Api, hang, slow_head, trickle


def test_one_connection_serves_many_calls(api: Api, client: http.Client, run: Run):
    api.on("GET /people", Answer(json=[1]))
    for _ in range(5):
        assert client.get(run, "/people").json() == [1]
    assert api.connections == 1
    assert (run.calls.read, run.calls.write) == (5, 0)


def test_what_is_sent(api: Api, client: http.Client, run: Run):
    api.on("POST /people", Answer(201, json={"id": 7}, headers={"ETag": '"v1"'}))
    reply = client.post(run, "/people", json={"name": "Åse"}, params={"notify": False, "tag": ["a", "b"], "no": None},
                        headers={"X-Reason": "test"})
    [seen] = api.seen
    assert seen.json == {"name": "Åse"}
    assert seen.params == {"notify": "false", "tag": "b"}
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["x-reason"] == "test"
    assert seen.headers["user-agent"] == "penstock"
    assert (reply.status, reply.object(), reply.etag) == (201, {"id": 7}, '"v1"')
    client.post(run, "/people", form={"a": "b c"})
    assert api.seen[1].form == {"a": "b c"}
    client.put(run, "/people", content=b"raw")
    client.patch(run, "/people", json=None)
    client.delete(run, "/people")
    assert [(each.method, each.body) for each in api.seen[2:]] == [("PUT", b"raw"), ("PATCH", b"null"), ("DELETE", b"")]
    assert (run.calls.read, run.calls.write) == (0, 5)


def test_a_search_by_post_is_a_read(api: Api, client: http.Client, run: Run):
    api.on("POST /search", Answer(json=[]), Answer(500))
    client.post(run, "/search", json={}, writes=False)
    with pytest.raises(Unavailable) as caught:
        client.post(run, "/search", json={}, writes=False)
    assert not caught.value.sent
    assert (run.calls.read, run.calls.write) == (2, 0)


def test_a_call_may_belong_to_no_run(api: Api, client: http.Client):
    api.on("GET /groups", Answer(json=["g1"]))
    assert client.get(None, "/groups").json() == ["g1"]


@pytest.mark.parametrize("id", ["7", "a/b", "../admin", "a?b=c#d", "å%2F", "a b", "…"])
def test_an_id_is_one_segment_of_the_path(api: Api, client: http.Client, run: Run, id: str):
    with pytest.raises(Unavailable, match=r"GET /people/\{\}/groups: expected a success"):
        client.get(run, "/people/{}/groups", id).json()
    [seen] = api.seen
    assert seen.path.startswith("/people/")
    assert seen.path.endswith("/groups")
    assert seen.path.count("/") == 3
    assert seen.params == {}


@pytest.mark.parametrize("id", ["", ".", "..", "\ud800"])
def test_an_id_that_would_lead_elsewhere_is_refused(api: Api, client: http.Client, run: Run, id: str):
    with pytest.raises(Refused, match="expected ids that can stand in a path") as caught:
        client.delete(run, "/people/{}", id)
    assert caught.value.code == "bad_id"
    assert api.seen == []


def test_a_call_that_is_written_wrongly(client: http.Client, run: Run):
    with pytest.raises(ConfigurationError, match="expected an id for each {}, of which there are 1, got 0"):
        client.get(run, "/people/{}")
    with pytest.raises(ConfigurationError, match="expected a route that begins with /"):
        client.get(run, "https://elsewhere.example.com/")
    with pytest.raises(ConfigurationError, match="expected one body for a call, got json and content"):
        client.post(run, "/people", json={}, content=b"")


def test_a_url_that_is_too_long(client: http.Client, run: Run):
    with pytest.raises(Refused, match="expected a URL that can be sent, got one of 1000"):
        client.get(run, "/people", params={"q": "x" * 100_000})
    assert run.calls.total == 0


def test_an_idempotency_key_goes_into_its_header(api: Api, run: Run):
    api.on("POST /people", Answer(json={"id": 1}))
    with http.connect(api.url, idempotency_header="X-Request-Key") as client:
        for key in ("k-1", "clé/1", "clé/1", "k" * 1000, None):
            client.post(run, "/people", json={}, idempotency_key=key)
    keys = [seen.headers.get("x-request-key") for seen in api.seen]
    assert keys[0] == "k-1"
    assert keys[1] == keys[2] != keys[3]
    assert all(len(str(key)) == 32 for key in keys[1:4])
    assert keys[4] is None
    with http.connect(api.url) as client:
        client.post(run, "/people", json={}, idempotency_key="k-1")
    assert api.seen[-1].headers["idempotency-key"] == "k-1"


OUTCOMES: list[tuple[Answer, dict[str, Any], Any]] = [
    (Answer(201, json={"id": 7}, headers={"ETag": "v"}), {"id_in": "id"}, Done("7", "v")),
    (Answer(201, json={"data": {"id": "p"}}), {"id_in": "data.id"}, Done("p")),
    (Answer(204), {"remote_id": "p"}, Done("p")),
    (Answer(400, b"too  long\n"), {"id_in": "id"}, Rejected("400", "too long")),
    (Answer(422), {"code": "too_long"}, Rejected("too_long", "refused with status 422")),
    (Answer(404, b"no"), {}, Rejected("404", "no")),
    (Answer(404, b"no"), {"gone": (404, 410)}, Rejected("gone", "no")),
    (Answer(410, b"no"), {}, Rejected("gone", "no")),
    (Answer(409, b"there is one"), {}, Rejected("409", "there is one")),
    (Answer(400, b"x" * 1000), {}, Rejected("400", "x" * 499 + "…")),
]


@pytest.mark.parametrize(("answer", "how", "outcome"), OUTCOMES)
def test_an_answer_as_the_outcome_of_its_record(
        api: Api, client: http.Client, run: Run, answer: Answer, how: dict[str, Any], outcome: Any):
    api.on("PATCH /people/7", answer)
    assert client.patch(run, "/people/{}", 7, json={}).outcome(**how) == outcome


@pytest.mark.parametrize(("status", "gone", "outcome"), [
    (204, (410,), Done("7")), (410, (410,), Done("7")), (404, (404,), Done("7")), (404, (410,), Rejected("404", "no")),
])
def test_what_is_gone_is_deleted(
        api: Api, client: http.Client, run: Run, status: int, gone: tuple[int, ...], outcome: Any):
    api.on("DELETE /people/7", Answer(status, b"no" if status == 404 else b""))
    assert client.delete(run, "/people/{}", 7).outcome("7", gone=gone) == outcome


@pytest.mark.parametrize("answer", [Answer(json={}), Answer(json={"id": None}), Answer(json={"id": True}),
                                    Answer(json={"id": ""}), Answer(json=[]), Answer(body=b"<html>")])
def test_a_create_without_an_id_is_in_doubt(api: Api, client: http.Client, run: Run, answer: Answer):
    api.on("POST /people", answer)
    with pytest.raises(Unavailable, match="POST /people: expected") as caught:
        client.post(run, "/people", json={}).outcome(id_in="id")
    assert caught.value.sent


def test_a_4xx_is_no_json(api: Api, client: http.Client, run: Run):
    """Nobody takes the body of an error for a record."""
    api.on("POST /people", Answer(422, json={"id": 7}))
    api.on("GET /people", Answer(403, json=[]))
    with pytest.raises(Refused, match="POST /people: expected a success, got status 422, application/json: ") as caught:
        client.post(run, "/people", json={}).object()
    assert caught.value.code == "422"
    with pytest.raises(Unavailable, match="GET /people: expected a success, got status 403") as unavailable:
        client.get(run, "/people").json()
    assert not unavailable.value.sent


def test_not_modified_is_an_answer(api: Api, client: http.Client, run: Run):
    api.on("GET /people", Answer(304))
    assert client.get(run, "/people", headers={"If-None-Match": '"v1"'}).status == 304


@pytest.mark.parametrize("slow", [hang, slow_head, trickle])
def test_no_call_outlasts_the_lease(api: Api, client: http.Client, slow: Any):
    api.on("POST /people", slow)
    run = Run(Subject("g1"), client=client, remaining=lambda: 2.0)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no whole answer from .* within 1 s") as caught:
        client.post(run, "/people", json={})
    assert time.monotonic() - began < 30, "of the client's own 60"
    assert caught.value.sent
    assert run.calls.write == 1


@pytest.mark.parametrize("remaining", [0.0, -5.0])
def test_without_a_lease_nothing_is_sent(api: Api, client: http.Client, remaining: float):
    run = Run(Subject("g1"), client=client, remaining=lambda: remaining)
    with pytest.raises(Unavailable, match="the run's lease leaves no time") as caught:
        client.post(run, "/people", json={})
    assert not caught.value.sent
    assert api.seen == []
    assert run.calls.total == 0


def test_threads_share_a_client(api: Api, client: http.Client):
    together = threading.Barrier(5)

    def react(seen: Any) -> Answer:
        together.wait(60)  # all five are under way at once
        return Answer(json=seen.params["n"])

    api.on("GET /people", react)
    found: list[str] = []

    def call(number: int) -> None:
        found.append(client.get(None, "/people", params={"n": number}).json())

    threads = [threading.Thread(target=call, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["0", "1", "2", "3", "4"]


def test_the_client_closes_its_connections(api: Api):
    api.on("GET /people", Answer(json=[]))
    with http.connect(api.url) as client:
        client.get(None, "/people")
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.get(None, "/people")


@pytest.mark.parametrize(("url", "said"), [
    (None, "got NoneType"), ("api.example.com", "without http:// or https://"), ("ftp://example.com", "without http://"),
    ("https://user:s3cret@example.com", "with a password in it; give it as auth"),
    ("https://example.com?key=s3cret", "with a ? or # in it"), ("https://a\nb", "no URL"), ("http://", "a host"),
    ("https://[", "host or port can be none"), ("https://example.com:99999", "host or port can be none"),
])
def test_a_base_url_that_cannot_work(url: Any, said: str):
    with pytest.raises(ConfigurationError) as caught:
        http.connect(url)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        http.connect("", auth="s3cret", headers={"X-Key": "a\nb", "": "c"}, timeout=0)  # type: ignore[arg-type]
    assert len(caught.value.faults) == 5
    assert "s3cret" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_gets_nothing():
    with Api(tls=True) as api, http.connect(api.url, auth=http.Bearer("token-1")) as client, \
            pytest.raises(Unavailable, match="certificate") as caught:
        client.post(None, "/people", json={})
    assert not caught.value.sent
    assert api.seen == []


@pytest.mark.parametrize("slow", [hang, slow_head, trickle])
def test_an_authority_of_ones_own_may_be_trusted(slow: Any):
    """And a call ends in time also where it is encrypted."""
    with Api(tls=True) as api:
        api.on("GET /people", Answer(json=[]))
        api.on("POST /people", slow)
        with http.connect(api.url, verify=ssl.create_default_context(cafile=CERTIFICATE), timeout=1) as client:
            assert client.get(None, "/people").json() == client.get(None, "/people").json() == []
            assert api.connections == 1
            with pytest.raises(Unavailable, match="no whole answer") as caught:
                client.post(None, "/people", json={})
    assert caught.value.sent
