"""Which statements take the time, over all names or one."""

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from penstock.domain.traces import Kind, StatementSeen
from penstock.observe.patterns.evidence import site

StatementsBy = Literal["total", "max", "count", "failed"]
STATEMENTS_BY: tuple[StatementsBy, ...] = StatementsBy.__args__  # type: ignore[attr-defined]


class RankedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What one statement came to under one name. Times are microseconds; `share` is that of the name's wall time."""

    kind: Kind
    name: str
    fingerprint: str
    text: str
    database: str | None
    calls: int
    failed: int
    rows: int
    total_us: int
    mean_us: int
    max_us: int
    locked_us: int
    share: float
    site: str | None


def ranked_statements(seen: Iterable[tuple[Kind, str, StatementSeen]], walls: dict[tuple[Kind, str], int],
                      by: StatementsBy = "total") -> list[RankedStatement]:
    """The greatest first; `walls` are the wall times of all traces of a name, in microseconds."""
    rows = [_ranked(kind, name, each, walls.get((kind, name), 0)) for kind, name, each in seen]
    measure = _MEASURES[by]
    return sorted(rows, key=lambda row: (-measure(row), row.name, row.fingerprint))


def _ranked(kind: Kind, name: str, seen: StatementSeen, wall_us: int) -> RankedStatement:
    return RankedStatement(
        kind=kind, name=name, fingerprint=seen.fingerprint, text=seen.text, database=seen.database, calls=seen.calls,
        failed=seen.failed, rows=seen.rows, total_us=seen.total_us, mean_us=seen.total_us // max(seen.calls, 1),
        max_us=seen.max_us, locked_us=seen.locked_us, site=site(seen.sites),
        share=min(seen.total_us / wall_us, 1.0) if wall_us else 0.0)


_MEASURES: dict[StatementsBy, Callable[[RankedStatement], int]] = {
    "total": lambda row: row.total_us, "max": lambda row: row.max_us, "count": lambda row: row.calls,
    "failed": lambda row: row.failed}
