"""One request over the wire: what of it left, how long it may take, and how much of an answer is read."""

import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2

from penstock.connectors.http.deadline import bound, until
from penstock.connectors.http.faults import broken_call
from penstock.connectors.http.redaction import Secrets
from penstock.connectors.http.reply import Reply
from penstock.domain.errors import Refused

ANSWER_BYTES = 64 * 1024 * 1024
"""The longest body that is read; a longer one is garbage."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError,
              httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)


class Countdown(dict[str, float]):
    """The time of one call, as the timeouts of its phases: each gets what those before it have left.

    `began` is whether anything may have left: whether the request was about to be written. A phase that would begin
    after the end is not begun.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = time.monotonic() + seconds
        self.began = False
        # For whoever looks at the timeouts otherwise than by `get`.
        super().__init__(dict.fromkeys(("connect", "read", "write", "pool"), seconds))

    def left(self) -> float:
        """The seconds that are left; below 0 where there are none."""
        return self.until - time.monotonic()

    def get(self, phase: str, default: Any = None) -> float:
        left = self.left()
        if left <= 0:
            raise httpx2.TimeoutException(f"no time is left to {phase}")
        self.began = self.began or phase == "write"
        return left


def send(pool: httpx2.Client, call: str, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str],
         countdown: Countdown, writes: bool, secrets: Secrets) -> Reply:
    """Send one request and give its answer, whatever its status. Raises `Unavailable` where there was none.

    Raises `Refused` for a URL that is too long to be one.
    """
    countdown.began = False
    try:
        with until(countdown), pool.stream(method, url, content=body, headers=headers,
                                           extensions={"timeout": countdown}) as response:
            content = _whole(response, countdown)
        return Reply(call, response.status_code, {**response.headers}, content, writes, secrets)
    except httpx2.InvalidURL as error:
        raise Refused("bad_url", f"{call}: expected a URL that can be sent, got one of {len(url)} characters: {error}"
                      ) from None
    except httpx2.RequestError as error:
        sent = countdown.began and not isinstance(error, NEVER_SENT)
        countdown.began = sent
        shown = secrets.redacted(str(error)) == str(error)
        raise broken_call(call, _origin(url), error, sent=sent, writes=writes, timeout=countdown.seconds,
                          secrets=secrets) from (error if shown else None)


def pool_for(url: str, headers: Mapping[str, str], verify: ssl.SSLContext | None) -> httpx2.Client:
    """A pool of connections. It follows no redirect: credentials go nowhere else."""
    # A proxy of the environment cannot reach this machine's own loopback.
    trust = httpx2.URL(url).host not in LOOPBACK
    pool = httpx2.Client(headers=headers, follow_redirects=False, trust_env=trust,
                         verify=verify or _authorities(trust))
    bound(pool)
    return pool


@cache
def _authorities(trust_env: bool) -> ssl.SSLContext:
    """The certificate authorities to trust, read once per process: it takes 40 ms, and every run connects anew."""
    return httpx2.create_ssl_context(trust_env=trust_env)


def _whole(response: httpx2.Response, countdown: Countdown) -> bytes:
    """The body, in the time and the size that one call may take."""
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if countdown.left() < 0:
            raise httpx2.ReadTimeout("the answer came too slowly", request=response.request)
        if size > ANSWER_BYTES:
            raise httpx2.ReadError(f"the answer is longer than {ANSWER_BYTES} bytes", request=response.request)
    return b"".join(parts)


def url_faults(owner: str, what: str, url: object, *, query: bool = False) -> list[str]:
    """What is wrong with a URL that somebody declared. It is not repeated where it could hold a secret."""
    expected = f"{owner}: expected {what}, as in https://api.example.com/v2,"
    if not isinstance(url, str):
        return [f"{expected} got {type(url).__name__}"]
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return [f"{expected} got text that is no URL"]
    if parsed.scheme not in ("http", "https") or not parsed.host:
        return [f"{expected} got a URL without http:// or https:// and a host"]
    if "%" in parsed.host or (parsed.port or 0) > 65_535:
        return [f"{expected} got a URL whose host or port can be none"]
    if parsed.userinfo:
        return [f"{expected} got one with a password in it; give it as auth, since URLs end up in logs"]
    if parsed.fragment or (parsed.query and not query):
        return [f"{expected} got one with a ? or # in it; give params with each call"]
    return []


def _origin(url: str) -> str:
    """Where a URL leads, without its path: the ids in it would have the same trouble read differently each time."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def without_query(url: str) -> str:
    """A URL as people may see it."""
    return url.partition("?")[0].partition("#")[0].rstrip("/")
