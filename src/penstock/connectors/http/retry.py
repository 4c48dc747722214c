"""How long an answer asks to wait: `Retry-After`, in seconds or as a moment (RFC 9110 §10.2.3)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 366 * 86_400.0
"""More than this is no answer, but a fault; it is cut down, so that the store can add it to a time."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait from now on, or None where the headers (names in lower case) do not say."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdecimal():
        return min(float(value), LONGEST_SECONDS)
    until = _moment(value)
    if until is None:
        return None
    # The destination's own clock, where it shows one, may go differently from ours.
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    return min(max(0.0, (until - now).total_seconds()), LONGEST_SECONDS)


def _moment(value: str) -> datetime | None:
    """An HTTP date (RFC 9110 §5.6.7), in any of its three forms, or None for what is none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
