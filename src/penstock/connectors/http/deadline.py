"""The hard end of a call: no read or write of its connection lasts beyond it.

The HTTP library bounds each wait, but an answer whose head comes a byte at a time renews that for ever. So every wait
of the network gets what the call has left. The library has no public place for this: where its parts are no longer
called as they are here, calls fall back to its own timeouts, and a test fails.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import httpx2

_WRITE_BYTES = 65_536


class Ending(Protocol):
    """Says how many seconds are left; below 0 where there are none."""

    def left(self) -> float: ...


class _Current(threading.local):
    ending: Ending | None = None


_current = _Current()


@contextmanager
def until(ending: Ending) -> Iterator[None]:
    """Have this thread's waits end with `ending`."""
    before, _current.ending = _current.ending, ending
    try:
        yield
    finally:
        _current.ending = before


def bound(client: httpx2.Client) -> None:
    """Have the waits of a client's connections end when their calls do."""
    transports = [getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()]
    for transport in transports:
        pool = getattr(transport, "_pool", None)
        backend = getattr(pool, "_network_backend", None)
        if pool is not None and backend is not None:
            pool._network_backend = _Backend(backend)


def _within(timeout: float | None) -> float | None:
    if _current.ending is None:
        return timeout
    left = _current.ending.left()
    if left <= 0:
        raise httpx2.TimeoutException("the call's time is over")
    return left if timeout is None else min(timeout, left)


class _Backend:
    """Makes connections that end in time; all else is the library's own."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> "_Stream":
        return _Stream(self._inner.connect_tcp(host, port, timeout=_within(timeout), **options))


class _Stream:
    """A connection whose waits end in time."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, timeout=_within(timeout))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._inner.write(buffer[start:start + _WRITE_BYTES], timeout=_within(timeout))

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None,
                  timeout: float | None = None) -> "_Stream":
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout=_within(timeout)))
