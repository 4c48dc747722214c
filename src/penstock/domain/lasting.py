"""Durations as people say them: the greatest unit, and the next one where it matters."""

_UNITS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("µs", 1))
_WHOLE = 10
_ALMOST = 0.9995
"""Of a second or a millisecond: what would be rounded to 1000 of the smaller unit is one of this."""


def lasting(us: float) -> str:
    """As `350 µs`, `1.2 ms`, `30 s`, `2 min 30 s`, `45 min`, `3 h 20 min`; below 0 counts as 0."""
    us = max(us, 0)
    for place, (unit, size) in enumerate(_UNITS):
        count = us / size
        if count < (_ALMOST if unit in ("s", "ms") else 1) and unit != "µs":
            continue
        if unit in ("s", "ms", "µs"):
            digits = 1 if count < _WHOLE and unit != "µs" else 0
            text = f"{count:.{digits}f}".removesuffix(".0")
            return f"{text} {unit}"
        smaller, part = _UNITS[place + 1]
        rest = int(us % size // part)
        return f"{int(count)} {unit}" + (f" {rest} {smaller}" if rest and count < _WHOLE else "")
    raise AssertionError("the smallest unit takes whatever is left")
