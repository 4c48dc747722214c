"""httpx and its kin: requests of clients, from when one is sent until its answer is read, or begins where it streams.

Redirects are told of by themselves, with the time that each took; the last has the rest.
"""

import importlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import fault
from penstock.observe.trace import CALLED, Site, Trace, active, site

LIBRARY = "httpx"
_LEAST_FAILED = 400

_asked_at: ContextVar[Site | None] = ContextVar("penstock_asked_at", default=None)
"""Where in the user's code a coroutine was made."""

Original = Callable[..., Any]


def install(patches: Patches) -> None:
    wrap(patches, importlib.import_module(LIBRARY))


def wrap(patches: Patches, library: Any) -> None:
    """Of a library with the clients of httpx."""
    patches.wrap(library.Client, "send", _sending)
    patches.wrap(library.AsyncClient, "send", _sending_async)
    for name in ("request", "get", "options", "head", "post", "put", "patch", "delete"):
        patches.wrap(library.AsyncClient, name, _asking)


def _sending(original: Original) -> Original:
    def send(self: Any, request: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None:
            return original(self, request, **options)
        response = None
        began = trace.enter(CALLED)
        try:
            response = original(self, request, **options)
            return response
        finally:
            _told(trace, request, response, trace.leave(CALLED) - began)

    return send


def _sending_async(original: Original) -> Original:
    async def send(self: Any, request: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None:
            return await original(self, request, **options)
        response = None
        began = trace.enter(CALLED)
        try:
            response = await original(self, request, **options)
            return response
        finally:
            _told(trace, request, response, trace.leave(CALLED) - began)

    return send


def _asking(original: Original) -> Original:
    """What is asked for here may run elsewhere, in a task that has none of the user's code beneath it."""
    def ask(self: Any, *args: Any, **options: Any) -> Any:
        running = original(self, *args, **options)
        if active.get() is None or _asked_at.get() is not None:
            return running
        return asked(running, site())

    async def asked(running: Any, at: Site | None) -> Any:
        token = _asked_at.set(at)
        try:
            return await running
        finally:
            _asked_at.reset(token)

    return ask


def _told(trace: Trace, request: Any, response: Any, took_ns: int) -> None:
    try:
        for before in response.history if response is not None else ():
            of_it = min(int(before.elapsed.total_seconds() * 1e9), took_ns)
            took_ns -= of_it
            _called(trace, before.request, of_it, failed=False)
        _called(trace, request if response is None else response.request, took_ns,
                failed=response is None or response.status_code >= _LEAST_FAILED)
    except Exception:
        fault("httpx")


def _called(trace: Trace, request: Any, took_ns: int, *, failed: bool) -> None:
    url = request.url
    host = url.host if url.port is None else f"{url.host}:{url.port}"
    path = url.raw_path.partition(b"?")[0].decode("ascii", "replace")
    trace.called(request.method, host, path, took_ns, failed=failed, at=_asked_at.get())
