"""A wire to PostgreSQL that can be cut: before a statement reaches the server, or before its answer comes back."""

import contextlib
import selectors
import socket
import threading
from urllib.parse import urlsplit

import psycopg

COMMIT = b"commit\0"


class Cutter:
    """Listens on a port of the loopback interface in front of the server of `url`; `self.url` leads through it."""

    def __init__(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            self._server = (connection.info.host, connection.info.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        parts = urlsplit(url)
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self._word: bytes | None = None
        self._answered = False
        self._skip = 0
        self.cuts = 0
        self._thread = threading.Thread(target=self._serve, name="cutter")
        self._thread.start()

    def cut(self, word: bytes = COMMIT, *, answered: bool, skip: int = 0) -> None:
        """Cut the connection that next sends `word`: before the server gets it, or once it has carried it out.

        As often as `skip` says it is let through.
        """
        self._word, self._answered, self._skip = word, answered, skip

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
            with client, contextlib.suppress(ConnectionError), self._connect() as server:
                self._converse(client, server)

    def _converse(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client and self._is_cut(data):
                        if self._answered:
                            server.sendall(data)
                            assert server.recv(65536)
                        self.cuts += 1
                        return
                    target.sendall(data)

    def _is_cut(self, data: bytes) -> bool:
        if self._word is None or self._word not in data:
            return False
        self._skip -= 1
        if self._skip >= 0:
            return False
        self._word = None
        return True

    def _connect(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server
