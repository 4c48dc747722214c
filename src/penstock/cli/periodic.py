"""`penstock periodic`: what is enqueued by the clock, when next, and what is paused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import msgspec

from penstock.cli import completing
from penstock.cli.commands import Group
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.finding import find_app
from penstock.cli.table import table
from penstock.schedule.periodic import PeriodicSeen

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEADINGS = ("NAME", "SCHEDULE", "NEXT", "LAST", "STATE")


class Listed(msgspec.Struct):
    """Every periodic task that the app declares or the store knows, by name."""

    periodic: list[PeriodicSeen]


@click.group(cls=Group, invoke_without_command=True)
@json_option(Listed, says=TIMES)
@click.pass_context
def periodic(context: click.Context, as_json: bool) -> None:
    """List the periodic tasks: their schedules, their next and last jobs, and which are paused."""
    if context.invoked_subcommand is not None:
        return
    with find_app(context) as app:
        app.check()
        found = app.periodic_tasks()
    if as_json:
        say_json(Listed(found))
    elif not found:
        click.echo("no periodic tasks: declare one with app.periodic(…)")
    else:
        click.echo(table(_HEADINGS, map(_columns, found)))


@periodic.command()
@click.argument("name", shell_complete=completing.periodics)
@json_option(Said)
@click.pass_context
def pause(context: click.Context, name: str, as_json: bool) -> None:
    """Let the ticks of a periodic task go by, until it is resumed."""
    with find_app(context) as app:
        app.check()
        changed = app.pause_periodic(name)
    say(f"{name} is paused" if changed else f"nothing to do: {name} was paused already", as_json, changed=changed)


@periodic.command()
@click.argument("name", shell_complete=completing.periodics)
@json_option(Said)
@click.pass_context
def resume(context: click.Context, name: str, as_json: bool) -> None:
    """Go on from now; ticks that went by during the pause are not made up for."""
    with find_app(context) as app:
        app.check()
        changed = app.resume_periodic(name)
    say(f"{name} goes on" if changed else f"nothing to do: {name} was not paused", as_json, changed=changed)


def _columns(each: PeriodicSeen) -> tuple[str, ...]:
    state = "paused" if each.paused_at is not None else "on"
    return (each.name, each.spec, _time(each.next_at, each.zone), _time(each.last_at, each.zone),
            state if each.declared else f"{state}, not declared by this app")


def _time(at: int | None, zone: str | None) -> str:
    if at is None:
        return "-"
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone or "UTC")).isoformat(" ", "seconds")
