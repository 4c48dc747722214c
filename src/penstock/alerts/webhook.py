"""Alerts as JSON, and the signature by which a receiver knows that they are ours.

The header `Penstock-Signature` is `t=SECONDS,v1=HEX`: the time since 1970 at which it was signed, and the HMAC-SHA-256
(RFC 2104) of that number, a full stop and the body, under the secret that both sides know.
"""

import hashlib
import hmac
import time

import msgspec

from penstock.domain.alerts import Alert

SIGNATURE, IDENTITY = "Penstock-Signature", "Penstock-Alert"
TOLERANCE_SECONDS = 300.0


def body_of(alert: Alert) -> bytes:
    """What is posted: the alert's fields, and its summary again as `text`, which chat programs show."""
    return msgspec.json.encode({**msgspec.structs.asdict(alert), "text": f"[{alert.state}] {alert.summary}"})


def signed(secret: str, body: bytes, at: float | None = None) -> str:
    """The value of the signature's header. `at` is in seconds since 1970; without it: now."""
    moment = str(round(time.time() if at is None else at))
    return f"t={moment},v1={_digest(secret, moment, body)}"


def verified(secret: str, body: bytes, header: str | None, *, tolerance_seconds: float = TOLERANCE_SECONDS,
             at: float | None = None) -> bool:
    """Whether a body that a webhook received was signed under this secret, and not longer ago than is tolerated."""
    parts = dict(part.partition("=")[::2] for part in (header or "").split(","))
    moment, given = parts.get("t", ""), parts.get("v1", "")
    if not (moment.isascii() and moment.isdigit()) or not given.isascii():
        return False
    fresh = abs((time.time() if at is None else at) - int(moment)) <= tolerance_seconds
    return hmac.compare_digest(given, _digest(secret, moment, body)) and fresh


def _digest(secret: str, moment: str, body: bytes) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
