"""Waiting for others: for rows that somebody holds locked, and for permits."""

from collections.abc import Iterator

from penstock.domain.lasting import lasting
from penstock.domain.traces import PHASES
from penstock.observe.patterns import evidence
from penstock.observe.patterns.contract import Pattern, Work

_LOCK_SHARE, _LOCK_US = 0.05, 100_000
"""Of the wall time, and in all. Locks are sampled some times a second: less than a tenth of a second is chance."""
_LIMIT_SHARE, _LIMIT_US = 0.1, 1_000_000
"""A limit is there to make work wait; a tenth of the time, and more than a second, is what people ask about."""
_LIMITED = PHASES.index("limited")


def lock_wait(work: Work) -> Iterator[Pattern]:
    """Statements that waited for locks of other sessions."""
    for seen in work.statements:
        share = work.share(seen.locked_us)
        if seen.locked_us < _LOCK_US or share < _LOCK_SHARE:
            continue
        place = evidence.site(seen.sites)
        yield Pattern(
            kind="lock wait", took_us=seen.locked_us, share=share, fingerprint=seen.fingerprint,
            database=seen.database, site=place,
            evidence={**evidence.numbers(seen, work), "locked_us": seen.locked_us},
            says=f"`{evidence.short(seen.text)}`" + (f" at {place}" if place else "") + " waited for locks of other"
                 f" sessions: {evidence.spent(seen.locked_us, work)}, in {evidence.calls(seen)}",
            faster="shorter transactions around what is written, rows locked in one order, or SKIP LOCKED")


def limit_wait(work: Work) -> Iterator[Pattern]:
    """Time spent waiting for permits of a limit."""
    took = work.trace.phases[_LIMITED]
    share = work.share(took)
    if took < _LIMIT_US or share < _LIMIT_SHARE:
        return
    traces = max(work.trace.traces, 1)
    yield Pattern(
        kind="limit wait", took_us=took, share=share,
        evidence={"limited_us": took, "traces": work.trace.traces, "wall_us": work.trace.total_us},
        says=f"it waited for permits: {evidence.spent(took, work)}, {lasting(took / traces)} a trace",
        faster="fewer calls, as by a bulk endpoint, or a higher limit if the other side allows it: `penstock limits`")
