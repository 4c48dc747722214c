"""Which answers and exceptions are the whole call's trouble, and which error they become.

A 4xx is one record's trouble, unless it is about who asks (401, 403) or how often (429). Only what surely was not
carried out says `sent=False`; a read changes nothing, so it never leaves anything in doubt.
"""

import httpx2

from penstock.connectors.scim.reply import Reply, redacted
from penstock.domain.errors import DestinationError, Throttled, Unavailable

NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError,
              httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)


def broken_call(call: str, url: str, error: Exception, *, writes: bool, timeout: float,
                token: str | None) -> Unavailable:
    """The error for a request that got no answer."""
    reason = redacted(str(error), token) or type(error).__name__
    if isinstance(error, NEVER_SENT):
        return Unavailable(f"{call}: cannot connect to {url} ({reason}); check that the URL is right and that the "
                           "destination is up", sent=False)
    if isinstance(error, httpx2.TimeoutException):
        return Unavailable(f"{call}: no whole answer from {url} within {timeout:g} s; if it is only slow, give "
                           "scim.connect a longer timeout", sent=writes)
    return Unavailable(f"{call}: the connection to {url} broke before the answer was whole ({reason}); "
                       "what was sent will be looked up before it is sent again", sent=writes)


def whole_call_fault(reply: Reply) -> DestinationError | None:
    """The error of a call that was answered, or None where the answer is for its records to judge."""
    if reply.status == 429:
        wait = reply.retry_after()
        asked = f"; it asks to wait {wait:g} s" if wait is not None else ""
        return Throttled(wait, f"{reply.call}: the destination refused the call for its rate (429){asked}")
    if reply.status in (401, 403):
        return refused_token(reply)
    if reply.status >= 500:
        return server_fault(reply)
    if not reply.ok and reply.status < 400:
        target = redacted(reply.headers.get("location", "nowhere"), reply.token)
        return Unavailable(f"{reply.call}: expected an answer, got a redirect ({reply.status}) to {target}; give "
                           "scim.connect the final URL", sent=False)
    return None


def refused_token(reply: Reply) -> Unavailable:
    what = "the token" if reply.token else "a call without a token"
    act = "check that the token is valid and may write" if reply.token else "give scim.connect a token"
    return Unavailable(f"{reply.call}: the destination refused {what} ({reply.status}); {act}", sent=False)


def server_fault(reply: Reply) -> Unavailable:
    wait = reply.retry_after()
    asked = f"; it asks to wait {wait:g} s" if wait is not None else ""
    return Unavailable(f"{reply.call}: expected a SCIM answer, got {reply.shown()}{asked}; the fault is the "
                       "destination's, so try again later or ask who runs it", sent=reply.writes, retry_after=wait)


def no_service(reply: Reply) -> Unavailable:
    """The error for a 404 or 405 that cannot have come from a SCIM resource."""
    return Unavailable(f"{reply.call}: expected a SCIM 2.0 service, got {reply.shown()}; check that the URL is the "
                       "base of the service, as in https://example.com/scim/v2", sent=False)
