"""Which jobs somebody looks for: the filter as it stands in a query string, its times as people write them."""

import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec

from penstock.app import Penstock
from penstock.domain.listing import JobFilter
from penstock.web.asked import Misread, Number

_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = re.compile(r"(\d{1,5})\s*([mhd])")
TIMES = ("15m", "1h", "24h", "7d")
"""Times that are offered: so long ago."""


class Filtered(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs. `since` and `until` are about when they were enqueued: `15m`, `1h` or `7d` ago, a time in UTC such as
    `2026-11-22 05:41`, or milliseconds since 1970."""

    state: str | None = None
    task: str | None = None
    queue: str | None = None
    tag: str | None = None
    error_class: str | None = None
    since: str | None = None
    until: str | None = None
    batch: Number | None = None

    def filter(self, app: Penstock) -> JobFilter:
        """What the app is asked. Raises `Misread` for a time that is none, and `InvalidArguments`."""
        now = app.now_ms() if any(_AGO.fullmatch(each) for each in (self.since or "", self.until or "")) else 0
        return JobFilter(self.state, self.task, self.queue, self.tag, self.error_class,
                         _time("since", self.since, now), _time("until", self.until, now), self.batch)

    @property
    def query(self) -> dict[str, str]:
        """It again, as the fields of a query string."""
        return {name: str(value) for name in Filtered.__struct_fields__
                if (value := getattr(self, name)) not in (None, "")}

    def url(self, path: str, **more: object) -> str:
        """A page of the site with this filter, and more fields."""
        query = {**self.query, **{name: str(value) for name, value in more.items() if value not in (None, "")}}
        return f"{path}?{urlencode(query)}" if query else path

    @property
    def words(self) -> str:
        """It again, as people and the journal read it."""
        return " ".join(f"{name}={value}" for name, value in self.query.items()) or "all jobs"


def _time(name: str, text: str | None, now: int) -> int | None:
    if not text:
        return None
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS_MS[ago[2]]
    if text.isdecimal() and len(text) > 8:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Misread(f"{name}: expected 15m, 1h or 7d, or a time in UTC such as 2026-11-22 05:41, got {text!r}"
                      ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
