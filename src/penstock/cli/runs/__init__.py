"""`penstock runs`: which runs wait, are under way and have finished; and how long they take, by subject or account."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import click
import msgspec

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.choice import Choice
from penstock.cli.documents import TIMES, json_option, written
from penstock.cli.finding import find_app
from penstock.cli.runs.acts import cancel, raise_
from penstock.cli.runs.listing import Listing
from penstock.cli.table import short, table
from penstock.domain.errors import ConfigurationError
from penstock.sync.state.runs import RunRow
from penstock.sync.state.statistics import Statistics
from penstock.sync.telling.history import STATUSES
from penstock.sync.window.row import WindowRow

_RUN = ("RUN", "SYNC", "SUBJECT", "ACCOUNT", "STATUS", "WHY", "REQUESTED", "WAITED", "TOOK", "CHANGES", "ERROR")
_STATISTICS = ("NAME", "RUNS", "FAILED", "IN A ROW", "P50", "P95", "READ", "CHANGES", "CALLS", "PERMITS",
               "LAST SUCCESS", "LAST ERROR")
_WINDOW = ("WINDOW", "ACCOUNT", "BEGAN", "SERVED", "FAILED", "PUT BACK", "SKIPPED", "TOTAL", "USED", "UNUSED",
           "ENDED BY")
_WATCH_SECONDS = 2.0
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


class Runs(msgspec.Struct):
    """Runs, the newest first."""

    runs: list[RunRow]


class Known(msgspec.Struct):
    """What is known of finished runs, the slowest first."""

    sync: str
    statistics: list[Statistics]


class Windows(msgspec.Struct):
    """The windows of a sync, the newest first."""

    sync: str
    windows: list[WindowRow]


@click.group(cls=Listing, invoke_without_command=True)
@click.argument("name", required=False, shell_complete=completing.syncs)
@click.argument("subject", required=False)
@click.option("--account", help="Only of this account.")
@click.option("--status", type=Choice(STATUSES), help="Only runs that stand so.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--before", type=int, metavar="RUN", help="Only runs before this one: the next page.")
@click.option("--stats", is_flag=True, help="What is known of finished runs, by subject, the slowest first.")
@click.option("--by", "kind", type=Choice(["sync", "account", "subject"]), help="With --stats: of what.")
@click.option("--windows", is_flag=True, help="The windows of a sync: what each served, and what of its time it used.")
@click.option("--watch", is_flag=True, help="Show them again every two seconds, until it is broken off.")
@json_option(Runs, Known, Windows, says=TIMES)
@click.pass_context
def runs(context: click.Context, account: str | None, status: str | None, limit: int, before: int | None, stats: bool,
         kind: str | None, windows: bool, watch: bool, as_json: bool, name: str | None = None,
         subject: str | None = None) -> None:
    """List runs, the newest first: those that wait, those under way and those that have finished."""
    if context.invoked_subcommand is not None:
        return
    for flag, given in (("--stats", stats), ("--windows", windows)):
        if given and name is None:
            raise ConfigurationError(f"{flag}: expected the name of a sync before it")
    if windows and (subject is not None or status is not None or stats):
        raise ConfigurationError("--windows: expected no subject, no --status and no --stats beside it: a window serves"
                                 " runs of many subjects")
    if stats and (status is not None or before is not None):
        raise ConfigurationError("--stats counts all finished runs: expected no --status and no --before beside it")
    if kind is not None and not stats:
        raise ConfigurationError("--by: expected --stats beside it")
    with find_app(context) as app:
        app.check()
        while True:
            if stats:
                assert name is not None
                text = _statistics(app, name, subject, account, kind, limit, as_json)
            elif windows:
                assert name is not None
                text = _windows(app, name, account, before, limit, as_json)
            else:
                found = app.runs(name, subject, account=account, status=status, before=before, limit=limit)
                text = _listed(found, _now(app), as_json)
            if watch:
                click.clear()
            click.echo(text)
            if not watch:
                return
            time.sleep(_WATCH_SECONDS)


def _statistics(app: Penstock, name: str, subject: str | None, account: str | None, kind: str | None, limit: int,
                as_json: bool) -> str:
    by = kind or "subject"
    found = app.run_statistics(name, by=by, account=account, subject=subject, limit=limit)  # type: ignore[arg-type]
    if as_json:
        return written(Known(name, found))
    if not found:
        return "no run has finished, or none is counted yet: a worker counts them every two seconds"
    return table(_STATISTICS, (_statistics_row(each) for each in found))


def _statistics_row(each: Statistics) -> tuple[str, ...]:
    took = each.succeeded_at is not None
    error = f"{each.error_class}: {each.error or ''}".rstrip(": ") if each.error_class else ""
    return (each.name or each.sync, f"{each.runs:,}", f"{each.failures:,}", str(each.streak),
            _lasting(each.p50_ms) if took else "-", _lasting(each.p95_ms) if took else "-", f"{each.read:,}",
            _changes(each.created, each.updated, each.deleted, each.failed), f"{each.calls:,}", f"{each.permits:,}",
            _time(each.succeeded_at), short(error))


def _windows(app: Penstock, name: str, account: str | None, before: int | None, limit: int, as_json: bool) -> str:
    found = app.windows(name, account=account, before=before, limit=limit)
    if as_json:
        return written(Windows(name, found))
    return table(_WINDOW, map(_window_row, found)) if found else "no windows"


def _window_row(each: WindowRow) -> tuple[str, ...]:
    return (str(each.id), each.account, _time(each.began_at), str(each.served), str(each.failed), str(each.put_back),
            str(each.skipped), *("-" if ms is None else _lasting(ms) for ms in (each.total_ms, each.used_ms,
                                                                                each.unused_ms)),
            each.ended_by or "at work")


def _listed(found: Sequence[RunRow], now: int, as_json: bool) -> str:
    if as_json:
        return written(Runs(list(found)))
    if not found:
        return "no such runs"
    return table(_RUN, (_row(run, now) for run in found))


def _row(run: RunRow, now: int) -> tuple[str, ...]:
    waited = max((run.started_at or run.finished_at or now) - run.requested_at, 0)
    took = None if run.started_at is None else max((run.finished_at or now) - run.started_at, 0)
    why = ", ".join(msgspec.json.decode(run.reasons, type=list[str]))
    error = f"{run.error_class}: {run.error or ''}".rstrip(": ") if run.error_class else ""
    return (str(run.id), run.sync, run.subject, run.account or "-", run.status, why or "-", _time(run.requested_at),
            _lasting(waited), "-" if took is None else _lasting(took),
            _changes(run.created, run.updated, run.deleted, run.failed), short(error))


def _changes(created: int, updated: int, deleted: int, failed: int) -> str:
    """As `+12 ~3 -1 !2`: created, updated, deleted, failed."""
    counts = (("+", created), ("~", updated), ("-", deleted), ("!", failed))
    return " ".join(f"{sign}{count:,}" for sign, count in counts if count) or "-"


def _lasting(ms: int) -> str:
    """A duration as people say it: in its greatest unit and the next one."""
    for (unit, size), (smaller, part) in pairwise(_UNITS):
        if ms >= size:
            rest = ms % size // part
            return f"{ms // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{ms / 1000:.1f} s"


def _time(at: int | None) -> str:
    return "-" if at is None else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _now(app: Penstock) -> int:
    row = app.store.read(lambda tx: tx.row("now"))
    assert row is not None
    return int(row[0])


runs.add_command(cancel)
runs.add_command(raise_)
