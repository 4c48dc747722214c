"""The HTTP client of one SCIM 2.0 service: one connection pool, one token, one discovery.

Every request is counted into the caller's `Calls` once it has a connection, and every way in which a request can
fail leaves here as `Throttled` or `Unavailable`. A client is used by one thread at a time.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from math import inf
from types import TracebackType
from typing import Any, Self

import httpx2

from penstock.connectors.scim.faults import NEVER_SENT, broken_call, whole_call_fault
from penstock.connectors.scim.messages import MEDIA_TYPE, Method
from penstock.connectors.scim.offers import Offers
from penstock.connectors.scim.reply import Reply
from penstock.domain.errors import ConfigurationError
from penstock.domain.records import Calls
from penstock.sync.declaring.permits import Free

ANSWER_BYTES = 64 * 1024 * 1024
"""The longest body that is read; a longer one is garbage."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def connect(url: str, *, token: str | None = None, timeout: float = 30.0) -> "Client":
    """A client of the SCIM service at the base `url`, to be used in a `with` statement.

    `token` is sent as a bearer token. `timeout` is in seconds and bounds each wait for the destination; an answer
    that trickles is given up before twice that. Raises `ConfigurationError` if something of this cannot work.
    """
    faults = []
    if not isinstance(url, str) or not _is_web(url):
        faults.append(f"scim.connect: expected the base URL of a SCIM service, as in https://example.com/scim/v2, "
                      f"got {type(url).__name__ if not isinstance(url, str) else _without_password(url)!r}")
    if token is not None and not (token.strip().isascii() and token.strip().isprintable()):
        faults.append("scim.connect: expected a token of printable ASCII characters, got others; check how it was read")
    if not timeout > 0:
        faults.append(f"scim.connect: expected a timeout in seconds above 0, got {timeout!r}")
    if faults:
        raise ConfigurationError(faults)
    return Client(url, token=(token or "").strip() or None, timeout=timeout)


class Client:
    """Talks to one service. `timeout` is in seconds; `shown` is the URL without any password.

    `remaining` says for how many seconds the caller's lease holds. No request may outlast it: it could be carried
    out after another worker has looked for what it made, and found nothing.
    """

    def __init__(self, url: str, *, token: str | None, timeout: float) -> None:
        self.timeout = timeout
        self.shown = _without_password(url)
        self._base = url.rstrip("/")
        self._token = token
        self.remaining: Callable[[], float] = lambda: inf
        self.permits = Free()
        self._offers: Offers | None = None
        headers = {"Accept": f"{MEDIA_TYPE}, application/json;q=0.9", "User-Agent": "penstock"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # A proxy of the environment cannot reach this machine's own loopback.
        trust = httpx2.URL(url).host not in LOOPBACK
        self._http = httpx2.Client(headers=headers, timeout=timeout, follow_redirects=False, trust_env=trust,
                                   verify=_authorities(trust))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<scim.Client {self.shown}>"

    def close(self) -> None:
        """Close every connection. Closing twice does nothing more."""
        self._http.close()

    def request(self, method: Method, path: str, calls: Calls, *, body: bytes | None = None,
                params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request and give its answer, whatever its status. Raises `Unavailable` if there was none."""
        with self.permits.request():
            return self._request(method, path, calls, body, params, headers)

    def _request(self, method: Method, path: str, calls: Calls, body: bytes | None, params: Mapping[str, str] | None,
                 headers: Mapping[str, str] | None) -> Reply:
        call, writes = f"{method} {path}", method != "GET"
        sent = {**(headers or {}), **({"Content-Type": MEDIA_TYPE} if body is not None else {})}
        timeout = min(self.timeout, max(self.remaining(), 0.1) / 2)
        made, until = True, time.monotonic() + timeout
        try:
            with self._http.stream(method, self._base + path, content=body, params=params, headers=sent,
                                   timeout=timeout) as response:
                content = _whole(response, until)
            return Reply(call, response.status_code, dict(response.headers), content, writes, self._token)
        except httpx2.RequestError as error:
            made = not isinstance(error, NEVER_SENT)
            raise broken_call(call, self.shown, error, writes=writes, timeout=timeout,
                              token=self._token) from error
        finally:
            calls.read += made and not writes
            calls.write += made and writes

    def get(self, path: str, calls: Calls, params: Mapping[str, str] | None = None) -> Reply:
        """A read whose answer is not the whole call's fault; a 404 is the caller's to judge."""
        reply = self.request("GET", path, calls, params=params)
        fault = whole_call_fault(reply)
        if fault:
            raise fault
        return reply

    def offers(self, calls: Calls) -> Offers:
        """What the server can do; asked once per client (RFC 7644 §4)."""
        if self._offers is None:
            reply = self.get("/ServiceProviderConfig", calls)
            self._offers = Offers() if reply.status == 404 else Offers.read(reply.object())
        return self._offers

    def forget_bulk(self) -> None:
        """Use single calls from now on: the server announced /Bulk, but does not have it."""
        self._offers = replace(self._offers or Offers(), bulk=False)

    def resources(self, kind: str, calls: Calls | None = None, *, where: str | None = None,
                  attributes: str | None = None) -> Iterator[dict[str, Any]]:
        """Every resource of "Users" or "Groups", page by page (RFC 7644 §3.4.2.4).

        Raises `Unavailable` if a page is not what it claims to be, so that an end without an error proves that
        the server gave all it has. `where` is a filter, `attributes` a list with commas.
        """
        calls = calls if calls is not None else Calls()
        asked = {"filter": where, "attributes": attributes, "count": str(self.offers(calls).page)}
        params = {name: value for name, value in asked.items() if value is not None}
        start, previous = 1, None
        while True:
            reply = self.get(f"/{kind}", calls, {**params, "startIndex": str(start)})
            page, total = _page(reply)
            if page and page == previous:
                raise reply.garbage(f"a page from startIndex {start} that differs from the one before")
            yield from page
            start += len(page)
            if start > total:
                return
            if not page:
                raise reply.garbage(f"resources from startIndex {start} on, since totalResults is {total}")
            previous = page


@cache
def _authorities(trust_env: bool) -> ssl.SSLContext:
    """The certificate authorities to trust, read once per process: it takes 40 ms, and every run connects anew."""
    return httpx2.create_ssl_context(trust_env=trust_env)


def _page(reply: Reply) -> tuple[list[dict[str, Any]], int]:
    """The resources and `totalResults` of a ListResponse. A server may leave out an empty `Resources`."""
    if not reply.ok:
        raise reply.garbage("a ListResponse")
    answer = reply.object()
    page, total = answer.get("Resources", []), answer.get("totalResults")
    if not isinstance(total, int) or not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
        raise reply.garbage("a ListResponse with totalResults and Resources")
    return page, total


def _whole(response: httpx2.Response, until: float) -> bytes:
    """The body, in the time and the size that one request may take."""
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if time.monotonic() > until:
            raise httpx2.ReadTimeout("the answer came too slowly", request=response.request)
        if size > ANSWER_BYTES:
            raise httpx2.ReadError(f"the answer is longer than {ANSWER_BYTES} bytes", request=response.request)
    return b"".join(parts)


def _is_web(url: str) -> bool:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}".rstrip("/")
