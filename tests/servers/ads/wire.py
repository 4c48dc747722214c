"""HTTP/1.1 with connections that stay open: from bytes to requests, and from replies to bytes."""

import math
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.servers.ads.api import Api
from tests.servers.ads.messages import Reply, Request
from tests.servers.resetting import reset

PREFIX = "/v1/customers/"


class Wire(ThreadingHTTPServer):
    """Serves an API on a free loopback port; a thread for each connection, all of which end with it."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, api: Api) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api
        self.released = threading.Event()
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name="ads server")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, and the port. Waits until the last thread has ended."""
        self.release()
        self.shutdown()
        self._thread.join()
        with self._guard:
            for connection in self._open:
                with suppress(OSError):     # the client was quicker
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def release(self) -> None:
        """Let the calls go on that hang, or are slow."""
        released, self.released = self.released, threading.Event()
        released.set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gives up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1   # headers and body in one packet: two wait for each other's acknowledgement, 40 ms each time
    server: Wire

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not parts.path.startswith(PREFIX):
            self._reply(Reply(404, {"error": {"code": "NO_SUCH_ROUTE", "message": f"there is no {parts.path}"}}))
            return
        path = tuple(unquote(part) for part in parts.path.removeprefix(PREFIX).split("/"))
        token = self.headers.get("developer-token", "")
        released = self.server.released     # taken before the call is met, so that a release after it is not missed
        reply = self.server.api.answer(Request(self.command, path, dict(parse_qsl(parts.query)), token, body))
        if reply.wait:
            released.wait(None if reply.wait == math.inf else reply.wait)
        self._reply(reply)

    do_POST = do_GET    # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _reply(self, reply: Reply) -> None:
        if reply.status is None:
            self.close_connection = True
            if reply.reset:
                reset(self.connection)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = reply.body
        self.send_response_only(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)),
                            **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
