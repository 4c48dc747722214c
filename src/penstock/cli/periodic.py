"""`penstock periodic`: what is enqueued by the clock, when next, and what is paused."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import msgspec

from penstock.app import Penstock
from penstock.cli.finding import find_app
from penstock.schedule.periodic import Periodic, PeriodicRow, next_tick, read

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEADINGS = ("NAME", "SCHEDULE", "NEXT", "LAST", "STATE")


@dataclass(frozen=True, slots=True)
class Shown:
    """One periodic task as it is listed. Times are in milliseconds since 1970, UTC; `zone` is None if not declared."""

    name: str
    spec: str
    zone: str | None
    next_at: int | None
    last_at: int | None
    paused_at: int | None
    declared: bool

    def columns(self) -> tuple[str, ...]:
        state = "paused" if self.paused_at is not None else "on"
        return (self.name, self.spec, _time(self.next_at, self.zone), _time(self.last_at, self.zone),
                state if self.declared else f"{state}, not declared by this app")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON; times are milliseconds since 1970, UTC.")
@click.pass_context
def periodic(context: click.Context, as_json: bool) -> None:
    """List the periodic tasks: their schedules, their next and last jobs, and which are paused."""
    if context.invoked_subcommand is not None:
        return
    with find_app(context) as app:
        app.check()
        found = shown(app)
    if as_json:
        click.echo(msgspec.json.encode({"periodic": found}).decode())
    elif not found:
        click.echo("no periodic tasks: declare one with app.periodic(…)")
    else:
        _print([_HEADINGS, *(each.columns() for each in found)])


@periodic.command()
@click.argument("name")
@click.pass_context
def pause(context: click.Context, name: str) -> None:
    """Let the ticks of a periodic task go by, until it is resumed."""
    with find_app(context) as app:
        app.check()
        click.echo(f"{name} is paused" if app.pause_periodic(name) else f"nothing to do: {name} was paused already")


@periodic.command()
@click.argument("name")
@click.pass_context
def resume(context: click.Context, name: str) -> None:
    """Go on from now; ticks that went by during the pause are not made up for."""
    with find_app(context) as app:
        app.check()
        click.echo(f"{name} goes on" if app.resume_periodic(name) else f"nothing to do: {name} was not paused")


def shown(app: Penstock) -> list[Shown]:
    """Every periodic task that the app declares or the store knows, by name."""
    rows, now = read(app.store)
    names = sorted({*app.periodics, *rows})
    return [_shown(name, app.periodics.get(name), rows.get(name), now) for name in names]


def _shown(name: str, declared: Periodic | None, row: PeriodicRow | None, now: int) -> Shown:
    last, paused = (row.tick_at, row.paused_at) if row is not None else (None, None)
    if declared is None:
        return Shown(name, row.spec if row is not None else "", None, None, last, paused, False)
    following = next_tick(declared, row, now) if paused is None else None
    return Shown(name, declared.schedule.spec, declared.schedule.zone, following, last, paused, True)


def _time(at: int | None, zone: str | None) -> str:
    if at is None:
        return "-"
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone or "UTC")).isoformat(" ", "seconds")


def _print(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
