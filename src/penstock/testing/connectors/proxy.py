"""An HTTP proxy on loopback, at which the kit's faults strike each request of a connector.

    with FaultyProxy("http://127.0.0.1:8080/api") as proxy:
        case = MyCase(url=proxy.url)        # whose attribute `proxy` is this one

A lost answer is a connection that closes after the request was carried out, a throttled request a real 429, a torn
answer one whose second half is missing though it says that it is whole.
"""

import contextlib
import socket
import threading
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from penstock.testing.connectors.faults import (
    ANSWER_LOST,
    ANSWER_TORN,
    REQUEST_LOST,
    RETRY_AFTER_SECONDS,
    THROTTLED,
    Faults,
    Killed,
)

_HOP_BY_HOP = frozenset("connection host keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding"
                        " upgrade content-length accept-encoding content-encoding".split())
_UPSTREAM_SECONDS = 30.0


class FaultyProxy:
    """Forwards what comes to `url` to `upstream`, which may be set anew between worlds. Faults strike while armed."""

    def __init__(self, upstream: str = "") -> None:
        self.upstream = upstream.rstrip("/")
        self.faults: Faults | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="penstock-faulty-proxy")

    @property
    def url(self) -> str:
        """What the connector is to talk to in the upstream's place."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Keeps its connections, so that it can close those that clients left open."""

    daemon_threads = False
    proxy: FaultyProxy

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):  # the client was quicker
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gives up is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: two wait for each other's acknowledgement, 40 ms each time
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        faults = self.server.proxy.faults
        what = f"{self.command} {urlsplit(self.path).path}"
        try:
            struck = faults.reach("request", "before", what) if faults else None
            if struck is REQUEST_LOST:
                return self._hang_up()
            if struck is THROTTLED:
                return self._reply(429, [("Retry-After", f"{RETRY_AFTER_SECONDS:g}")], b"")
            status, headers, content = self._forwarded(body)
            struck = faults.reach("request", "after", what) if faults else None
        except (Killed, OSError, HTTPException):
            return self._hang_up()
        if struck is ANSWER_LOST:
            return self._hang_up()
        return self._reply(status, headers, content[:len(content) // 2] if struck is ANSWER_TORN else content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - http.server asks for them

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream, own = self.server.proxy.upstream, self.server.proxy.url
        parts = urlsplit(upstream)
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        with contextlib.closing(connect(parts.netloc, timeout=_UPSTREAM_SECONDS)) as connection:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(self.command, parts.path + self.path, body=body or None, headers=headers)
            response = connection.getresponse()
            content = response.read().replace(upstream.encode(), own.encode())  # links to the next page come here too
            kept = [(name, value.replace(upstream, own)) for name, value in response.getheaders()
                    if name.lower() not in _HOP_BY_HOP]
            return response.status, kept, content

    def _reply(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
