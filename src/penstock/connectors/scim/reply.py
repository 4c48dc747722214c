"""One HTTP answer, before anybody has judged it.

Whatever of it may end in a message goes through `redacted`, so the token is never shown, even by a destination
that echoes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from penstock.domain.errors import Unavailable

EXCERPT_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """`call` names the request for people ("POST /Bulk"); `headers` have lower-case names."""

    call: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    writes: bool
    token: str | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def etag(self) -> str | None:
        return self.headers.get("etag")

    def json(self) -> Any:
        """The decoded body, or None if it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError):
            return None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; raises `Unavailable` if it is something else."""
        decoded = self.json()
        if isinstance(decoded, dict):
            return decoded
        raise self.garbage("a JSON object")

    def text(self) -> str:
        return redacted(self.body.decode("utf-8", "replace"), self.token)

    def shown(self) -> str:
        """What came, for a message: status, content type and how the body begins."""
        kind = self.headers.get("content-type") or "no content type"
        excerpt = " ".join(self.text().split())[:EXCERPT_CHARACTERS]
        return f"status {self.status}, {kind}: {excerpt or '(empty)'!r}"

    def garbage(self, expected: str) -> Unavailable:
        """The error for an answer that makes no sense; a write that was answered so is in doubt."""
        return Unavailable(
            f"{self.call}: expected {expected}, got {self.shown()}; check that the URL is the base of a SCIM 2.0 "
            "service and that no proxy answers in its place", sent=self.writes,
        )

    def retry_after(self) -> float | None:
        """The seconds that a `Retry-After` header asks to wait (RFC 9110 §10.2.3), or None."""
        value = self.headers.get("retry-after", "").strip()
        if value.replace(".", "", 1).isdecimal():
            return float(value)
        until = _moment(value)
        if until is None:
            return None
        # The destination's own clock, where it shows one, may go differently from ours.
        now = _moment(self.headers.get("date", "")) or datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())


def _moment(value: str) -> datetime | None:
    """An HTTP date (RFC 9110 §5.6.7), or None for what is none."""
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def redacted(text: str, token: str | None) -> str:
    """The text without the token, also where JSON escaped its slashes."""
    for form in {token, token.replace("/", "\\/")} if token else ():
        text = text.replace(form, "[redacted]")
    return text
