"""Why work of a name is slow, in at most ten lines."""

import sys
from collections.abc import Iterator

import click

from penstock.cli.documents import written
from penstock.cli.table import short
from penstock.cli.traces import time, where
from penstock.domain.lasting import lasting
from penstock.observe.summary import Summary

_WIDTH = 14
_LINES = 10
_CHARACTERS = 240


def say(found: Summary, as_json: bool) -> None:
    """Print a summary. Ends with 1 where nothing is known of the name."""
    click.echo(written(found) if as_json else "\n".join(lines(found)))
    if found.ranked is None:
        sys.exit(1)


def lines(found: Summary) -> list[str]:
    """The summary in at most ten lines; of patterns as many as there is room for, those that cost the most first."""
    head = f"{found.name}: {found.says}"
    others = [*_lines(found)]
    room = _LINES - 1 - len(others)
    shown = [(each.kind, each.says) for each in found.patterns[:room]]
    place = next((place for place, (what, _) in enumerate(others) if what in ("slowest", "failed", "next")), 0)
    others[place:place] = shown
    return [head, *(f"  {what + ':':<{_WIDTH}} {short(text, _CHARACTERS)}" for what, text in others)]


def _lines(found: Summary) -> Iterator[tuple[str, str]]:
    ranked = found.ranked
    if ranked is not None:
        waited = ranked.phases.get("waited", 0)
        before = f"; waited {lasting(waited / max(ranked.traces, 1))} each before it began" if waited else ""
        yield "where", where(ranked.phases, ranked.total_us) + before
        yield "how long", (f"p50 {lasting(ranked.p50_us)}, p95 {lasting(ranked.p95_us)}, longest"
                           f" {lasting(ranked.max_us)}")
    if found.trend is not None:
        yield "trend", found.trend.says
    if found.worst is not None:
        yield "worst", f"{found.worst.share:.0%}: {found.worst.says}"
    if found.subject is not None:
        yield "slowest", found.subject
    if found.failure is not None:
        failure = found.failure
        known = (("job", failure.job_id), ("run", failure.run_id), ("subject", failure.subject))
        of = ", ".join(f"{what} {which}" for what, which in known if which)
        yield "failed", f"{time(failure.at)}{f' ({of})' if of else ''}: {failure.error or 'it is not known why'}"
    yield "next", found.next
