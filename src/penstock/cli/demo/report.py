"""What the demo's three runs did: a table for people, one line of JSON for programs."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich import box
from rich.table import Table

from penstock.sync.state.runs import RunRow

_SUMMED = ("read", "created", "updated", "deleted", "skipped", "failed", "read_calls", "write_calls")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run over all groups. Counts are of records; calls are requests to the destination."""

    title: str
    read: int
    created: int
    updated: int
    deleted: int
    skipped: int
    failed: int
    read_calls: int
    write_calls: int
    seconds: float
    peak_mb: float


def measured(title: str, runs: Sequence[RunRow], *, seconds: float, peak_mb: float) -> Measured:
    """The sums over the runs of all groups. Records that were blocked count as failed here."""
    sums = {name: sum(getattr(run, name) for run in runs) for name in _SUMMED}
    sums["failed"] += sum(run.blocked for run in runs)
    return Measured(title=title, seconds=round(seconds, 2), peak_mb=peak_mb, **sums)


def table(results: Sequence[Measured]) -> Table:
    """A column per run, which fits into 80 characters."""
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column("run")
    for result in results:
        shown.add_column(result.title, justify="right")
    rows = {
        "records read": [f"{result.read:,}" for result in results],
        **{name: [f"{getattr(result, name):,}" for result in results]
           for name in ("created", "updated", "deleted", "skipped", "failed")},
        "API calls": [f"{result.read_calls + result.write_calls:,}" for result in results],
        "of them write calls": [f"{result.write_calls:,}" for result in results],
        "seconds": [f"{result.seconds:.2f}" for result in results],
        "peak memory of the worker, MB": [f"{result.peak_mb:.1f}" for result in results],
    }
    for name, cells in rows.items():
        shown.add_row(name, *cells)
    return shown


class Result(msgspec.Struct):
    """One run over all groups."""

    read: int
    created: int
    updated: int
    deleted: int
    skipped: int
    failed: int
    write_calls: int
    seconds: float
    peak_mb: float


class Results(msgspec.Struct):
    """The three runs, and whether the destination equals the source."""

    runs: list[Result]
    equal: bool


def document(results: Sequence[Measured], equal: bool) -> Results:
    """What the demo says to programs."""
    return Results([Result(**{name: getattr(result, name) for name in Result.__struct_fields__})
                    for result in results], equal)
