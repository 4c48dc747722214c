"""requests: what a session sends, from then until its answer is read, or begins where it streams. Redirects are told of
by themselves."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import fault
from penstock.observe.trace import CALLED, Trace, active

LIBRARY = "requests"
_LEAST_FAILED = 400
redirected: ContextVar[list[int] | None] = ContextVar("penstock_redirected", default=None)
"""What the calls took to which the one that is under way was redirected, which its session sends itself."""


def install(patches: Patches) -> None:
    import requests

    patches.wrap(requests.Session, "send", _sending)


def _sending(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, request: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None:
            return original(self, request, **options)
        outer = redirected.get()
        further: list[int] = []
        token = redirected.set(further)
        response = None
        began = trace.enter(CALLED)
        try:
            response = original(self, request, **options)
            return response
        finally:
            took = trace.leave(CALLED) - began
            redirected.reset(token)
            if outer is not None:
                outer.append(took)
            _told(trace, request, response, took - sum(further))

    return send


def _told(trace: Trace, request: Any, response: Any, took_ns: int) -> None:
    try:
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        history = getattr(response, "history", None)
        status = history[0].status_code if history else getattr(response, "status_code", _LEAST_FAILED)
        trace.called(request.method or "", host if parts.port is None else f"{host}:{parts.port}", parts.path, took_ns,
                     failed=status >= _LEAST_FAILED)
    except Exception:
        fault("requests")
