"""A real SCIM server (scim2-server) in a process of its own, and a proxy before it that can misbehave.

    with scim_server() as server:
        with FaultyProxy(server.tenant("t1")) as proxy:
            proxy.answer(500, method="POST", path="/Bulk")      # the next one only
            ...
            assert [seen.method for seen in proxy.writes] == ["POST"]

Nothing here sleeps: the server says when it listens, and a proxy's hanging answers end with the proxy.
"""

import json
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.servers.resetting import reset

TOKEN = "s3cr3t-t0ken/for-tests"
START_SECONDS = 30


@dataclass(frozen=True)
class ScimServer:
    """A running server. `root` is its address; every tenant under it begins empty."""

    root: str
    token: str = TOKEN

    def tenant(self, name: str) -> str:
        """The base URL of a service of its own, made by its first request."""
        return f"{self.root}/{name}/v2"


@contextmanager
def scim_server() -> Iterator[ScimServer]:
    """Start scim2-server on a free loopback port, and stop it in the end."""
    with tempfile.TemporaryFile("w+") as log:
        process, port = _started(log)
        try:
            yield ScimServer(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(timeout=60)
            if process.stdout:
                process.stdout.close()


def _started(log: Any, tries: int = 3) -> tuple["subprocess.Popen[str]", int]:
    """The port may be taken by somebody else between its choice and its use, hence more than one try."""
    for _ in range(tries):
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "scim2_server.testserver.cli", "--port", str(port), "--dynamic-tenants",
             "--bearer-token", TOKEN],
            stdout=subprocess.PIPE, stderr=log, text=True,
        )
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        if ready and process.stdout.readline().startswith("Serving SCIM"):
            return process, port
        process.kill()
        process.wait(timeout=60)
        process.stdout.close()
    log.seek(0)
    raise RuntimeError(f"scim2-server did not start within {START_SECONDS} s:\n{log.read()[-2000:]}")


def free_port() -> int:
    """A loopback port on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Seen:
    """One request that reached the proxy; `path` is relative to the service's base URL and has no query."""

    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]

    @property
    def operations(self) -> list[dict[str, Any]]:
        """The Operations of a bulk or a PATCH request."""
        return list(json.loads(self.body)["Operations"])


Act = Callable[["_Handler", Seen], None]


@dataclass
class _Rule:
    """What to do with requests that match, `times` times, after letting `after` of them pass.

    `path` is how theirs begins; `having` is somewhere in their body.
    """

    act: Act
    method: str | None
    path: str | None
    having: str | None
    times: int | None
    after: int

    def takes(self, seen: Seen) -> bool:
        fits = (self.method in (None, seen.method) and (self.path is None or seen.path.startswith(self.path))
                and (self.having is None or self.having.encode() in seen.body))
        if not fits or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class FaultyProxy:
    """Forwards to the service at `upstream`, except where a rule says otherwise. `seen` is the log."""

    upstream: str
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.released = threading.Event()
        self._rules: list[_Rule] = []
        self._rewrites: list[tuple[str, str, Callable[[Any], Any]]] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="faulty proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/scim"

    @property
    def writes(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method != "GET"]

    @property
    def connections(self) -> int:
        """Connections that clients have opened so far."""
        return self._server.opened

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, **when: Any) -> None:
        """Answer in the server's place; nothing is forwarded."""
        self._rule(lambda handler, seen: handler.reply(status, body, headers or {}), **when)

    def error(self, status: int, detail: str = "", scim_type: str | None = None,
              headers: dict[str, str] | None = None, **when: Any) -> None:
        """Answer with a SCIM error."""
        fields = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status),
                  "detail": detail, "scimType": scim_type}
        body = json.dumps({name: value for name, value in fields.items() if value}).encode()
        self.answer(status, body, {"Content-Type": "application/scim+json", **(headers or {})}, **when)

    def garbage(self, body: bytes = b"<html>Welcome to the hotel WLAN</html>", **when: Any) -> None:
        self.answer(200, body, {"Content-Type": "text/html"}, **when)

    def drop_before(self, **when: Any) -> None:
        """Close the connection without forwarding the request."""
        self._rule(lambda handler, seen: handler.drop(), **when)

    def drop_after(self, **when: Any) -> None:
        """Forward the request, then close the connection instead of answering."""
        def act(handler: "_Handler", seen: Seen) -> None:
            handler.forward(seen)
            handler.drop()
        self._rule(act, **when)

    def error_after(self, status: int = 500, **when: Any) -> None:
        """Forward the request, then answer with a status in the answer's place."""
        def act(handler: "_Handler", seen: Seen) -> None:
            handler.forward(seen)
            handler.reply(status, b"", {})
        self._rule(act, **when)

    def reset(self, **when: Any) -> None:
        """Forward the request, then reset the connection instead of answering."""
        def act(handler: "_Handler", seen: Seen) -> None:
            handler.forward(seen)
            handler.close_connection = True
            reset(handler.connection)
        self._rule(act, **when)

    def tear(self, **when: Any) -> None:
        """Forward the request, then answer with the first half of the answer as if that were all."""
        def act(handler: "_Handler", seen: Seen) -> None:
            status, headers, body = handler.forward(seen)
            handler.reply(status, body[:len(body) // 2], {"Content-Type": headers.get("Content-Type", "")})
        self._rule(act, **when)

    def behave(self) -> bool:
        """Drop all rules; whether none of them is left that was still to strike."""
        rules, self._rules = self._rules, []
        return not any(rule.times for rule in rules)

    def hang(self, **when: Any) -> None:
        """Do not answer before the proxy is closed."""
        def act(handler: "_Handler", seen: Seen) -> None:
            self.released.wait()
            handler.drop()
        self._rule(act, **when)

    def endless(self, **when: Any) -> None:
        """Answer with a body that never ends, a few bytes at a time."""
        self._rule(lambda handler, seen: handler.pour(), **when)

    def meanwhile(self, act: Callable[[Seen], None], **when: Any) -> None:
        """Do something just before the request is forwarded, as somebody else would."""
        def before(handler: "_Handler", seen: Seen) -> None:
            act(seen)
            handler.pass_on(seen)
        self._rule(before, **when)

    def rewrite(self, method: str, path: str, change: Callable[[Any], Any]) -> None:
        """Change the JSON of every forwarded answer to requests of this method and exact path."""
        self._rewrites.append((method, path, change))

    def offer(self, **sections: dict[str, Any]) -> None:
        """Change sections of the ServiceProviderConfig, as in offer(bulk={"supported": False})."""
        def change(config: Any) -> Any:
            return {**config, **{name: {**config.get(name, {}), **fields} for name, fields in sections.items()}}
        self.rewrite("GET", "/ServiceProviderConfig", change)

    def cursors(self, path: str = "/Users") -> None:
        """Offer cursors as well (RFC 9865), and translate them into the indexes that the server knows."""
        def act(handler: "_Handler", seen: Seen) -> None:
            params = dict(parse_qsl(seen.query, keep_blank_values=True))
            if "cursor" not in params:
                return handler.pass_on(seen)
            start = int(params.pop("cursor") or 1)
            query = urlencode({**params, "startIndex": start, "sortBy": "id"})
            status, headers, body = handler.forward(replace(seen, query=query))
            answer = json.loads(body)
            after = start + len(answer.get("Resources", []))
            if after <= answer["totalResults"]:
                answer["nextCursor"] = str(after)
            return handler.reply(status, self.rewritten(seen, json.dumps(answer).encode()),
                                 {"Content-Type": headers["Content-Type"]})

        self.offer(pagination={"cursor": True, "index": True})
        self._rule(act, method="GET", path=path, times=None)

    def _rule(self, act: Act, *, method: str | None = None, path: str | None = None, having: str | None = None,
              times: int | None = 1, after: int = 0) -> None:
        self._rules.append(_Rule(act, method, path, having, times, after))

    def treat(self, handler: "_Handler", seen: Seen) -> None:
        self.seen.append(seen)
        rule = next((rule for rule in self._rules if rule.takes(seen)), None)
        if rule:
            rule.act(handler, seen)
        else:
            handler.pass_on(seen)

    def rewritten(self, seen: Seen, body: bytes) -> bytes:
        for method, path, change in self._rewrites:
            if (method, path) == (seen.method, seen.path):
                body = json.dumps(change(json.loads(body))).encode()
        return body


class _Server(ThreadingHTTPServer):
    """Keeps its connections, so that it can close those that clients left open."""

    daemon_threads = False
    proxy: FaultyProxy

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.opened = 0
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.opened += 1
        self._open.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        for connection in self._open:
            with suppress(OSError):     # the client was quicker
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gives up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1   # headers and body in one packet: two wait for each other's acknowledgement, 40 ms each time
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = parts.path.removeprefix("/scim")
        self.server.proxy.treat(self, Seen(self.command, path, parts.query, body, dict(self.headers.items())))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET    # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def pass_on(self, seen: Seen) -> None:
        status, headers, body = self.forward(seen)
        kept = {name: value for name, value in headers.items()
                if name.lower() in ("content-type", "etag", "location")}
        self.reply(status, self.server.proxy.rewritten(seen, body) if body else body, kept)

    def forward(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        upstream = urlsplit(self.server.proxy.upstream)
        assert upstream.hostname
        connection = HTTPConnection(upstream.hostname, upstream.port, timeout=30)
        try:
            target = upstream.path + seen.path + (f"?{seen.query}" if seen.query else "")
            headers = {name: value for name, value in seen.headers.items()
                       if name.lower() in ("authorization", "content-type", "if-match", "accept")}
            connection.request(seen.method, target, body=seen.body or None, headers=headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {"Date": self.date_time_string(), **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def pour(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/scim+json")
        self.end_headers()
        self.close_connection = True
        while not self.server.proxy.released.is_set():
            self.wfile.write(b"{")
            self.wfile.flush()
