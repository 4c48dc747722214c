"""A frame of `penstock top`: sections of columns, as plain lines, or for a terminal of some size."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penstock.cli.table import NUMBERS, fitting, short, table
from penstock.cli.top.seen import Order, Top, ordered
from penstock.domain.lasting import lasting
from penstock.limits.telling import KeyState

_SPARED = ("PID", "SLOTS", "LATER", "ATTEMPT", "UP", "FAILED/MIN", "MEMORY", "DONE", "BUSY", "RUNNING", "DONE/MIN")
"""Columns that a narrow terminal does without, from the first on."""
_MB = 1024 * 1024
_LONG = 60


class Section(NamedTuple):
    """One table, its rows, and what is said where there are none. `marked` are the rows that somebody should see."""

    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    empty: str
    marked: frozenset[int]


def sections(top: Top, order: Order) -> list[Section]:
    """Queues, jobs, workers, limits: as text."""
    queues = ordered(top.queues, order)
    return [
        Section(("QUEUE", "WAITING", "OLDEST", "RUNNING", "SLOTS", "LATER", "DONE/MIN", "FAILED/MIN", "STATE"),
                [(each.name, f"{each.waiting:,}", _age(each.age_ms), f"{each.executing:,}", _count(each.slots),
                  f"{each.later:,}", f"{each.per_minute:,.1f}", f"{each.failed_per_minute:,.1f}",
                  "paused" if each.paused else "on") for each in queues],
                "no queue has had a job yet", frozenset(place for place, each in enumerate(queues) if each.paused)),
        Section(("JOB", "TASK", "QUEUE", "ATTEMPT", "RUNNING", "DONE", "ON"),
                [(str(job.id), job.task, job.queue, str(job.attempt), _age(job.running_ms),
                  "-" if job.percent is None else f"{job.percent:.0f}%", job.worker or "-") for job in top.jobs],
                "nothing is executing", frozenset()),
        Section(("WORKER", "PID", "UP", "MEMORY", "SLOTS", "BUSY", "STATE"),
                [(each.name, _count(each.pid, ""), _age(each.up_ms),
                  "-" if each.rss_bytes is None else f"{each.rss_bytes / _MB:,.0f} MB", _count(each.slots),
                  f"{each.jobs:,}", "alive" if each.alive else "lost") for each in top.workers],
                "no worker is alive: start one with `penstock worker`",
                frozenset(place for place, each in enumerate(top.workers) if not each.alive)),
        Section(("KEY", "GATE", "LIMITS"), [(each.key, _gate(each), _limits(each)) for each in top.limits],
                "no limit is near its edge, and every gate is open",
                frozenset(place for place, each in enumerate(top.limits) if each.gate != "open")),
    ]


def plain(top: Top, order: Order) -> str:
    """One frame for a file, a pipe or a person without a terminal."""
    parts = [table(section.headings, section.rows) if section.rows else section.empty
             for section in sections(top, order)]
    return "\n\n".join([head(top), *parts])


def head(top: Top) -> str:
    """The moment, and what there is in all."""
    running, slots = sum(each.executing for each in top.queues), sum(each.slots or 0 for each in top.queues)
    return (f"{datetime.fromtimestamp(top.at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC,"
            f" {sum(each.waiting for each in top.queues):,} waiting, {running:,} running in {slots:,} slots of"
            f" {sum(each.alive for each in top.workers):,} workers")


def frame(top: Top, order: Order, *, paused: bool, height: int, width: int) -> RenderableType:
    """One frame that fits into so many lines of so many columns: rows that there is no room for are counted."""
    drawn: list[RenderableType] = [Text(("display paused: " if paused else "") + head(top), style="bold", no_wrap=True,
                                           overflow="ellipsis")]
    found = sections(top, order)
    rooms = shared([len(section.rows) for section in found], height - len(drawn) - 1 - 3 * len(found))
    for section, room in zip(found, rooms, strict=True):
        drawn += [Text(""), _drawn(narrowed(section, width), room, width) if section.rows else
                  Text(section.empty, style="dim")]
    drawn.append(Text(f"q quit   space {'go on' if paused else 'pause'}   s sort (now by {order})", style="dim"))
    return Group(*drawn)


def shared(wanted: Sequence[int], lines: int) -> list[int]:
    """How many lines each section gets: what few need goes to those that need more; at least one each."""
    given = [1] * len(wanted)
    left = max(lines - len(wanted), 0)
    while left and any(want > have for want, have in zip(wanted, given, strict=True)):
        for place, want in enumerate(wanted):
            if left and want > given[place]:
                given[place] += 1
                left -= 1
    return given


def narrowed(section: Section, width: int) -> Section:
    """A section without those columns for which there is no room, the least important first."""
    for spared in _SPARED:
        if fitting(section.headings, _widths(section), width) is not None:
            break
        if spared in section.headings:
            place = section.headings.index(spared)
            section = section._replace(headings=section.headings[:place] + section.headings[place + 1:],
                                       rows=[row[:place] + row[place + 1:] for row in section.rows])
    return section


def _widths(section: Section) -> list[int]:
    return [max(map(len, column)) for column in zip(section.headings, *section.rows, strict=True)]


def _drawn(section: Section, room: int, width: int) -> RenderableType:
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="reverse", expand=False)
    widths = fitting(section.headings, _widths(section), width) or _widths(section)
    for heading, wide in zip(section.headings, widths, strict=True):
        drawn.add_column(heading, width=wide, justify="right" if heading in NUMBERS else "left", no_wrap=True,
                         overflow="ellipsis")
    for place, row in enumerate(section.rows[:room]):
        drawn.add_row(*(Text(cell) for cell in row), style="yellow" if place in section.marked else "")
    more = len(section.rows) - room
    return Group(drawn, Text(f"and {more:,} more", style="dim")) if more > 0 else drawn


def _age(ms: int | None) -> str:
    return "-" if ms is None else lasting(ms * 1000)


def _count(number: int | None, grouped: str = ",") -> str:
    return "-" if number is None else format(number, grouped)


def _gate(state: KeyState) -> str:
    if state.gate_seconds is None:
        return state.gate
    return f"{state.gate}, {lasting(state.gate_seconds * 1_000_000)}"


def _limits(state: KeyState) -> str:
    parts = [use.limit if use.ahead_seconds is None and not use.most else
             f"{use.limit}: {use.used:,}/{use.most:,}" if use.ahead_seconds is None else
             f"{use.limit}: {use.ahead_seconds:,.1f} s ahead" for use in state.limits if use.is_near_edge]
    return short(", ".join(parts) or state.gate_reason or "-", _LONG)
