"""What every request has to pass, and what every response says, whatever answers it: even an error, even a file.

The name that the site was called by is checked, so that another name that was led to this address (DNS rebinding)
reaches nothing. A change has to come from a page of this very site, or from no browser at all. A body is bounded.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1 << 20
CSP = "; ".join(("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
                 "font-src 'self'", "form-action 'self'", "base-uri 'self'", "frame-ancestors 'none'"))
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # as no-referrer, but that would have browsers say `Origin: null` of our forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_SAFE = ("GET", "HEAD", "OPTIONS")
_DIGITS = re.compile(r"[0-9]{1,18}")


class Guard:
    """Around the whole site."""

    def __init__(self, site: ASGIApp, *, hosts: Iterable[str], local: bool) -> None:
        """`hosts`: the names that it has besides `localhost`, without a port. `local`: it is for this machine alone."""
        self._site = site
        self._hosts = frozenset(host.strip().lower().rstrip(".") for host in hosts if host.strip())
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._site(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            status, what = refusal
            await PlainTextResponse(f"{what}\n", status)(scope, receive, sent)
            return
        await self._site(scope, _Bounded(receive), sent)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, (f"This dashboard is not known by the name {host[:100]!r}. Name it in the setting web_hosts, or"
                         " `penstock web --allow-host`, if it should be.")
        if self._local and any(name in headers for name in _FORWARDED):
            return 403, "A proxy leads here, and this dashboard has no tokens: see web_tokens in docs/web.md."
        length = headers.get("content-length", "0")
        if not _DIGITS.fullmatch(length) or int(length) > MOST_BYTES:
            return 413, f"Expected a body of at most {MOST_BYTES} bytes."
        if is_foreign(scope, headers):
            return 403, "This request was made by a page of another site; nothing was done."
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name in self._hosts or name == "localhost" or _is_address(name)


def is_foreign(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site has a browser make this request. No other program says so."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if scope["method"] in _SAFE:  # following a link is no more than looking
        return site in ("cross-site", "same-site") and headers.get("sec-fetch-mode") not in (None, "navigate")
    if site is not None and site != "same-origin":
        return True
    return origin is not None and not _is_same(origin, scope, headers.get("host", ""))


def _is_same(origin: str, scope: Scope, host: str) -> bool:
    """A proxy may have taken https off, which then only its word tells; to come from http to https is another site."""
    found = urlsplit(origin)
    if found.scheme not in ("http", "https") or (scope["scheme"] == "https" and found.scheme != "https"):
        return False
    return _with_port(found.netloc, found.scheme) in {_with_port(host, found.scheme), _with_port(host, scope["scheme"])}


def _with_port(netloc: str, scheme: str) -> str:
    name = _name_of(netloc)
    port = netloc[netloc.rfind(":") + 1:] if netloc.rfind(":") > netloc.rfind("]") else ""
    return f"{name}:{port or ('443' if scheme == 'https' else '80')}"


def _name_of(host: str) -> str:
    name = host[:host.rfind(":")] if host.rfind(":") > host.rfind("]") else host
    return name.strip("[]").lower().rstrip(".")


def _is_address(name: str) -> bool:
    """A number is no name that somebody could lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class _Bounded:
    """A body that has no length in its header is cut off where it grows too long."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MOST_BYTES

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return message
