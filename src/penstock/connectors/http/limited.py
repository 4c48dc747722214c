"""A transport for httpx2 (and httpx, whose contract is the same) that spends permits: one for each request.

The invariant: a request leaves with a permit of its limit, and a 429, or a 503 that says how long to wait, closes the
gate of its key for everybody; so do repeated errors of the connection. The answer is the caller's as it came.
"""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Self

import httpx2

from penstock.connectors.http.retry import retry_after
from penstock.domain.errors import Throttled, Unavailable


class LimitedTransport(httpx2.BaseTransport):
    """`httpx2.Client(transport=LimitedTransport(app.limit("crm")))`. Raises `Limited` where there is no permit in time.

    `transport` is what sends: one of httpx2's own, unless it is given.
    """

    def __init__(self, limit: AbstractContextManager[object], transport: Any = None) -> None:
        self._limit = limit
        self._transport = httpx2.HTTPTransport() if transport is None else transport

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = None
        try:
            with self._limit:
                try:
                    response = self._transport.handle_request(request)
                except httpx2.TransportError as error:
                    raise _Broken(error) from error
                _look(response)
        except _Broken as broken:
            raise broken.error from None
        except Throttled:
            if response is None:
                raise
        assert response is not None
        return response

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None = None, error: BaseException | None = None,
                 trace: TracebackType | None = None) -> None:
        self._transport.__exit__(kind, error, trace)


class AsyncLimitedTransport(httpx2.AsyncBaseTransport):
    """The same for `httpx2.AsyncClient`."""

    def __init__(self, limit: AbstractAsyncContextManager[object], transport: Any = None) -> None:
        self._limit = limit
        self._transport = httpx2.AsyncHTTPTransport() if transport is None else transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = None
        try:
            async with self._limit:
                try:
                    response = await self._transport.handle_async_request(request)
                except httpx2.TransportError as error:
                    raise _Broken(error) from error
                _look(response)
        except _Broken as broken:
            raise broken.error from None
        except Throttled:
            if response is None:
                raise
        assert response is not None
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None = None, error: BaseException | None = None,
                        trace: TracebackType | None = None) -> None:
        await self._transport.__aexit__(kind, error, trace)


class _Broken(Unavailable):
    """An error of the connection, on its way past the gate."""

    def __init__(self, error: httpx2.TransportError) -> None:
        self.error = error
        super().__init__(f"{type(error).__name__}: {error}")


def _look(response: httpx2.Response) -> None:
    """Raise `Throttled` for an answer that asks for a pause."""
    wait = retry_after({name.lower(): value for name, value in response.headers.items()})
    if response.status_code == 429 or (response.status_code == 503 and wait is not None):
        raise Throttled(wait)
