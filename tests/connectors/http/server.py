"""A real HTTP server on loopback that answers as a test tells it to, and keeps what it was asked.

    with Api() as api:
        api.on("GET /people", lambda seen: Answer(json={"data": []}))
        api.on("POST /people", drop)
        ...
        assert [seen.call for seen in api.seen] == ["GET /people"]

Nothing here sleeps; what hangs ends with the server.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""For 127.0.0.1, signed by itself, with its key: it protects nothing."""


@dataclass(frozen=True)
class Seen:
    """One request; `params` has the last value of each."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def call(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    date: str | None = None

    @property
    def content(self) -> bytes:
        return self.body if self.json is None else json.dumps(self.json).encode()


Act = Callable[["Handler"], None]
Reaction = Answer | Callable[[Seen], "Answer | Act"]


def drop(seen: Seen) -> Act:
    """Take the request and close the connection without an answer."""
    return lambda handler: handler.drop()


def cut_off(seen: Seen) -> Act:
    """Announce more than is sent."""
    def act(handler: "Handler") -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"data\": [")
        handler.drop()
    return act


def hang(seen: Seen) -> Act:
    """Do not answer before the server ends."""
    def act(handler: "Handler") -> None:
        handler.server.api.ended.wait()
        handler.drop()
    return act


def trickle(seen: Seen) -> Act:
    """A body that never ends, as fast as it can be read."""
    def act(handler: "Handler") -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not handler.server.api.ended.is_set():
            handler.raw(b"[" * 100)
    return act


def slow_head(seen: Seen) -> Act:
    """Headers that never end, a line at a time."""
    def act(handler: "Handler") -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\n")
        while not handler.server.api.ended.wait(0.02):
            handler.raw(b"X-More: yes\r\n")
    return act


class Api:
    """Reactions by "METHOD /path"; each `on` with several answers gives them in turn, and the last for ever."""

    def __init__(self, tls: bool = False) -> None:
        self.scheme = "https" if tls else "http"
        self.seen: list[Seen] = []
        self.ended = threading.Event()
        self._reactions: dict[str, list[Reaction]] = {}
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.api = self
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="api")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def root(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v2"

    @property
    def connections(self) -> int:
        return self._server.opened

    def on(self, call: str, *reactions: Reaction) -> None:
        """React so to a call; the path is that below the base URL."""
        self._reactions[call] = list(reactions)

    def seen_of(self, call: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.call == call]

    def react(self, seen: Seen) -> Answer | Act:
        self.seen.append(seen)
        reactions = self._reactions.get(seen.call)
        if not reactions:
            return Answer(404, b"nothing here")
        reaction = reactions[0] if len(reactions) == 1 else reactions.pop(0)
        return reaction if isinstance(reaction, Answer) else reaction(seen)


class _Server(ThreadingHTTPServer):
    """Keeps its connections, so that it can close those that clients left open."""

    daemon_threads = False
    api: Api

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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1   # headers and body in one packet
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        params = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path.removeprefix("/v2"), params, headers, body)
        reaction = self.server.api.react(seen)
        if isinstance(reaction, Answer):
            self.answer(reaction)
        else:
            reaction(self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET    # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        kind = {"Content-Type": "application/json"} if answer.json is not None else {"Content-Type": "text/plain"}
        for name, value in {**kind, "Date": answer.date or self.date_time_string(), **answer.headers}.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def paged(items: Iterable[Any], size: int) -> list[list[Any]]:
    """Items in pages, of which there is at least one."""
    every = list(items)
    return [every[start:start + size] for start in range(0, len(every), size)] or [[]]
