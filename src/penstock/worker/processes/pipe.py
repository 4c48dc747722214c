"""One end of the line between a worker and its child: whole messages of plain values, in msgpack, each with its length.

Anybody may send; one thread receives.
"""

import select
import signal
import socket
import threading
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")
GROUP_SIGNALS = {signal.SIGINT, signal.SIGTERM}
"""What a terminal or a supervisor sends to a worker and its children at once."""
_LENGTH_BYTES = 4
_READ_BYTES = 65536


class Pipe(Generic[T]):
    """`messages` is the type of what is received."""

    def __init__(self, end: socket.socket, messages: Any) -> None:
        self._socket = end
        self._lock = threading.Lock()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(messages)
        self._read = bytearray()
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def send(self, message: msgspec.Struct) -> None:
        """Raises `OSError` where nobody is at the other end any more."""
        body = self._encoder.encode(message)
        with self._lock:
            self._socket.sendall(len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    def receive(self, seconds: float | None = None) -> T | None:
        """The next message, or None where none has come in time. Raises `EOFError` when the other end is gone."""
        while (body := self._whole()) is None:
            if not self._poll.poll(None if seconds is None else seconds * 1000):
                return None
            try:
                found = self._socket.recv(_READ_BYTES)
            except ConnectionError:
                found = b""
            if not found:
                raise EOFError
            self._read += found
        return self._decoder.decode(body)

    def _whole(self) -> bytes | None:
        """The first message that has come, if it has come whole."""
        start = _LENGTH_BYTES
        end = start + int.from_bytes(self._read[:start], "big")
        if len(self._read) < max(start, end):
            return None
        body = bytes(self._read[start:end])
        del self._read[:end]
        return body

    def close(self) -> None:
        self._socket.close()
