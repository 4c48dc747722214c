"""urllib3: what its pools send, whoever asked them to. What is within a call already, of requests for instance, is
told by that."""

from collections.abc import Callable
from typing import Any

from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.requests import redirected
from penstock.observe.instruments.telling import fault
from penstock.observe.trace import CALLED, active

LIBRARY = "urllib3"
_LEAST_FAILED = 400
_DEFAULT_PORTS = {"http": 80, "https": 443}


def install(patches: Patches) -> None:
    import urllib3

    patches.wrap(urllib3.HTTPConnectionPool, "urlopen", _sending)


def _sending(original: Callable[..., Any]) -> Callable[..., Any]:
    def urlopen(self: Any, method: Any, url: Any, *args: Any, **options: Any) -> Any:
        trace = active.get()
        if trace is None or redirected.get() is not None:
            return original(self, method, url, *args, **options)
        token = redirected.set([])  # a try or a redirect goes through here again
        response = None
        began = trace.enter(CALLED)
        try:
            response = original(self, method, url, *args, **options)
            return response
        finally:
            took = trace.leave(CALLED) - began
            redirected.reset(token)
            try:
                trace.called(str(method), place(self), path(str(url)), took,
                             failed=response is None or response.status >= _LEAST_FAILED)
            except Exception:
                fault("urllib3")

    return urlopen


def place(pool: Any) -> str:
    """Host, and port where it is not the scheme's own."""
    host = str(pool.host)
    return host if pool.port in (None, _DEFAULT_PORTS.get(pool.scheme)) else f"{host}:{pool.port}"


def path(url: str) -> str:
    """That of a URL, whole as a proxy is sent it or not."""
    rest = url.partition("://")[2]
    return f"/{rest.partition('/')[2]}" if rest else url
