"""Numbers, times and spans as people read them, in one way on every page. Times are UTC."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from penstock.domain.keys import key_parts, spoken_key

_SPANS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))
_BYTES = ("B", "kB", "MB", "GB", "TB")
NONE = "–"
_COMMAND = re.compile(r"[;,] see `[^`]*`")
MOST_COUNTED = 10_000


def number(value: float | None, digits: int = 0) -> str:
    """`12,345`; `3.5` with digits."""
    return NONE if value is None else f"{value:,.{digits}f}"


def upto(value: int | None, most: int = MOST_COUNTED) -> str:
    """A count that was not gone on with: `10,000+`."""
    return NONE if value is None else f"{most:,}+" if value >= most else f"{value:,}"


def time(at_ms: int | None) -> str:
    """`22 Nov 05:41:12`."""
    return NONE if at_ms is None else moment(at_ms).strftime("%-d %b %H:%M:%S")


def clock(at_ms: int) -> str:
    """`05:41`."""
    return moment(at_ms).strftime("%H:%M")


def day(at_ms: int | None) -> str:
    """`22 Nov 2026`."""
    return NONE if at_ms is None else moment(at_ms).strftime("%-d %b %Y")


def iso(at_ms: int) -> str:
    """`2026-11-22T05:41:12Z`."""
    return moment(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(age_ms: float | None) -> str:
    """How long ago or how long still, in its largest two units: `3 min 20 s`, `2 d 4 h`."""
    if age_ms is None:
        return NONE
    left = abs(int(age_ms))
    for index, (size, name) in enumerate(_SPANS):
        if left >= size:
            whole, rest = divmod(left, size)
            if index + 1 < len(_SPANS) and whole < 10:
                below, below_name = _SPANS[index + 1]
                if rest // below:
                    return f"{whole} {name} {rest // below} {below_name}"
            return f"{whole} {name}"
    return "0 s"


def duration(ms: float | None) -> str:
    """How long something took: `0.8 ms`, `145 ms`, `1.24 s`, `3 min 20 s`."""
    if ms is None:
        return NONE
    if 0 < ms < 10:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.2f} s" if ms < 10_000 else f"{ms / 1000:.1f} s" if ms < 60_000 else age(ms)


def size(count: float | None) -> str:
    """`512 B`, `1.4 MB`, by thousands."""
    if count is None:
        return NONE
    value = float(count)
    for name in _BYTES[:-1]:
        if abs(value) < 1000:
            return f"{value:.0f} {name}" if name == "B" or value >= 100 else f"{value:.1f} {name}"
        value /= 1000
    return f"{value:.1f} {_BYTES[-1]}"


def sentence(text: str) -> str:
    """With a capital, where its first word has letters alone, and a full stop."""
    first = text.partition(" ")[0].rstrip(",:;")
    end = "" if text.endswith((".", "!", "?")) else "."
    return f"{text[:1].upper() if first.isalpha() else text[:1]}{text[1:]}{end}"


def told(summary: str) -> str:
    """What an alert says, as a sentence, without the command that it names for a terminal: on a page a link is there.
    """
    return sentence(_COMMAND.sub("", summary).removeprefix("over: "))


def schedule(spec: str, zone: str | None) -> tuple[str, str]:
    """A schedule as people read it, and its time zone where it has one: `every 1 h`, `0 6 * * *` in UTC."""
    if found := re.fullmatch(r"every (\d+) s", spec):
        return f"every {age(int(found[1]) * 1000)}", ""
    return (spec.removesuffix(f" {zone}"), zone) if zone and spec.endswith(f" {zone}") else (spec, "")


def percent(share: float | None) -> str:
    """A share of 1: `0.4%`, `37%`."""
    if share is None:
        return NONE
    value = share * 100
    return f"{value:.1f}%" if 0 < abs(value) < 10 else f"{value:.0f}%"


def key(text: str) -> str:
    """A record's key as people read it; one of several fields with a dot between its parts: `doors-1 · E1042`."""
    return " · ".join(key_parts(text) or (spoken_key(text),))


def as_json(value: Any) -> str:
    """A value, indented."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
