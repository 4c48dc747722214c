"""A transaction pooler in 100 lines: whatever the client left in its session is gone after each transaction.

Like pgbouncer in transaction mode it gives the client a server connection per transaction; harsher, it takes
another one every time.
"""

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator

import psycopg

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


class Pooler:
    """Listens on `port` of the loopback interface, in front of the server that `url` names."""

    def __init__(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            self._server = (connection.info.host, connection.info.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.transactions = 0
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="pooler")
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        """One client after the other: more are not needed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small messages must not wait for each other
            with client, contextlib.suppress(ConnectionError):
                try:
                    self._converse(client)
                except ConnectionError:
                    raise
                except BaseException as error:
                    self.failure = error

    def _converse(self, client: socket.socket) -> None:
        startup = _startup(client)
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(self._connect()) for _ in range(2)]
            for position, server in enumerate(servers):
                server.sendall(startup)
                for kind, message in _messages(server):
                    if kind == b"R" and message[5:9] != b"\0\0\0\0":
                        raise NotImplementedError("the server asks for a password, which cannot be passed on twice")
                    if position == 0:
                        client.sendall(message)
                    if kind == b"Z":
                        break
            turns = itertools.cycle(servers)
            server = next(turns)
            for kind, message in _messages(client):
                server.sendall(message)
                if kind in b"QS" and self._answer(server, client) == b"I":
                    self.transactions += 1
                    server = next(turns)

    def _answer(self, server: socket.socket, client: socket.socket) -> bytes:
        """Pass the answer on to its end; the state of the transaction after it."""
        for kind, message in _messages(server):
            client.sendall(message)
            if kind == b"Z":
                return message[5:6]
        raise ConnectionError

    def _connect(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = source.recv(size - len(found))
        if not piece:
            raise ConnectionError
        found += piece
    return found


def _startup(client: socket.socket) -> bytes:
    """The client's first message, after it was told that there is no encryption."""
    while True:
        length = _exactly(client, 4)
        message = length + _exactly(client, struct.unpack("!i", length)[0] - 4)
        if struct.unpack("!i", message[4:8])[0] not in (SSL_REQUEST, GSS_REQUEST):
            return message
        client.sendall(b"N")


def _messages(source: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Each message's kind, and the message as it came."""
    while True:
        head = _exactly(source, 5)
        yield head[:1], head + _exactly(source, struct.unpack("!i", head[1:])[0] - 4)
