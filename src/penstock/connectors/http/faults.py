"""Which answers and exceptions are the whole call's trouble, and which error they become.

A 4xx is for the call's records to judge, unless it is about who asks (401, 407) or how often (429). `sent` is False
only where the call surely changed nothing: because nothing of it left, because the destination says so, or because it
was a read.
"""

import httpx2

from penstock.connectors.http.redaction import Secrets
from penstock.connectors.http.reply import Reply
from penstock.domain.errors import DestinationError, Throttled, Unavailable

UNCHANGED = 304
NOT_CARRIED_OUT = (307, 308)
"""Redirects that ask for the same request elsewhere. The others may follow on a write that was carried out."""


def broken_call(call: str, shown: str, error: Exception, *, sent: bool, writes: bool, timeout: float,
                secrets: Secrets) -> Unavailable:
    """The error of a request that got no answer. `sent` is whether anything of it may have left."""
    reason = secrets.redacted(str(error)) or type(error).__name__
    if not sent:
        if isinstance(error, httpx2.TimeoutException):
            reason = f"no connection within {timeout:g} s"
        return Unavailable(f"{call}: cannot connect to {shown} ({reason}); nothing was sent; check that the URL is"
                           " right and that the destination is up", sent=False)
    if isinstance(error, httpx2.TimeoutException):
        return Unavailable(f"{call}: no whole answer from {shown} within {timeout:g} s; if it is only slow, give"
                           " http.connect a longer timeout", sent=writes)
    return Unavailable(f"{call}: the connection to {shown} broke before the answer was whole ({reason}); what was sent"
                       " will be looked up before it is sent again", sent=writes)


def whole_call_fault(reply: Reply) -> DestinationError | None:
    """The error of a call that was answered, or None where the answer is for its records to judge."""
    status, wait = reply.status, reply.retry_after()
    asked = f"; it asks to wait {wait:g} s" if wait is not None else ""
    if status == 429 or (status == 503 and wait is not None):
        return Throttled(wait, f"{reply.call}: the destination refused the call for its rate or load ({status}){asked}")
    if status == 401:
        return Unavailable(f"{reply.call}: the destination refused the credentials, got {reply.shown()}; check that"
                           " they are valid", sent=False)
    if status == 407:
        return Unavailable(f"{reply.call}: a proxy on the way asks for credentials, got {reply.shown()}; put them into"
                           " its URL", sent=False)
    if status >= 500 or status == 408:
        return Unavailable(f"{reply.call}: expected an answer, got {reply.shown()}{asked}; the fault is the"
                           " destination's, so try again later or ask who runs it", sent=reply.writes, retry_after=wait)
    if status < 200 or (300 <= status < 400 and status != UNCHANGED):
        target = reply.secrets.redacted(reply.headers.get("location", "nowhere")).partition("?")[0][:200]
        return Unavailable(f"{reply.call}: expected an answer, got a redirect ({status}) to {target}; give http.connect"
                           " the final URL", sent=reply.writes and status not in NOT_CARRIED_OUT)
    return None
