"""What was advised, as the store has it: with what its statement came to since, and the migration as text."""

from collections.abc import Sequence

import msgspec

from penstock.advise.shipping.following import Kept
from penstock.advise.shipping.migration import STYLES, Style, migration
from penstock.advise.shipping.watch import Span, Watched, compare
from penstock.domain.tables import Dialect
from penstock.observe import reading
from penstock.observe.kept import DAY_MS
from penstock.observe.known import kept_plans
from penstock.observe.patterns import PlanSeen
from penstock.store.port import Store

_WATCHED_MS = 28 * DAY_MS


class CallsAt(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement came to in the hour that began `at`, milliseconds of the epoch. Times are microseconds."""

    at: int
    calls: int
    rows: int
    total_us: int
    mean_us: int
    max_us: int


class AdviceFound(msgspec.Struct, frozen=True, kw_only=True):
    """What was advised; no other database than Penstock's own was asked.

    `text` is the statement's, None where it was not seen for so long that it is forgotten. `hours` is what it came to
    under its name, hour by hour, and `watched` the hours before it was shipped held against those since; None of what
    is not shipped yet. `plans` are all that it was seen to have. `migrations` are texts by their style, written without
    asking whether the table is partitioned.
    """

    kept: Kept
    text: str | None
    hours: list[CallsAt]
    watched: Watched | None
    plans: list[PlanSeen]
    migrations: dict[Style, str]


def found(store: Store, kept: Kept, queues: Sequence[str] = ()) -> AdviceFound:
    """All of one piece of advice, by the rows of the last four weeks. `queues` are those of the work."""
    now = reading.now(store)
    began = now - _WATCHED_MS
    rows = reading.statement_of(store, began, now, kept.name, kept.fingerprint, kept.database)
    hours = [CallsAt(at=at, calls=calls, rows=rows, total_us=total_us, mean_us=total_us // max(calls, 1), max_us=max_us)
             for at, calls, rows, total_us, max_us in rows]
    dialect: Dialect = "sqlite" if kept.database.startswith("sqlite:") else "postgres"
    return AdviceFound(
        kept=kept, hours=hours, watched=_watched(kept, hours),
        text=reading.statement_text(store, kept.fingerprint, kept.database)
        or (kept.considered.text if kept.considered else None),
        plans=[each for each in kept_plans(store, {kept.fingerprint}, began) if each.database == kept.database],
        migrations={style: migration(kept.candidate, style, dialect=dialect, queues=queues) for style in STYLES})


def _watched(kept: Kept, hours: Sequence[CallsAt]) -> Watched | None:
    if kept.state == "proposed":
        return None
    before = [Span(each.calls, each.total_us) for each in hours if each.at < kept.changed_at]
    return compare(before, [Span(each.calls, each.total_us) for each in hours if each.at >= kept.changed_at])
