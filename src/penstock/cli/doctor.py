"""`penstock doctor`: looks at what the app runs on, and says what is wrong with it and what to do."""

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import click
import msgspec

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.documents import json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.worker import read_slots
from penstock.domain.errors import ConfigurationError, StoreError
from penstock.domain.finding import Finding, Level, fault, ok, warning
from penstock.store import health
from penstock.worker import app_pools

_ORDER = list(Level)
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "red"}
_LEVEL_WIDTH = max(map(len, Level))


class Examined(msgspec.Struct):
    """All findings, and the worst of their levels."""

    level: Level
    findings: list[Finding]


@click.command()
@click.option("--queue", "queues", multiple=True, metavar="NAME=SLOTS", shell_complete=completing.queues,
              help="A queue and its number of slots, as for `penstock worker`; may be repeated.")
@json_option(Examined)
@click.pass_context
def doctor(context: click.Context, queues: tuple[str, ...], as_json: bool) -> None:
    """Check the store, its settings and its clock, and what a worker would find around it. Ends with 1 at a fault."""
    with find_app(context) as app:
        slots = sum(app.slots(read_slots(queues)).values())
        found = [_versions(), *_store(app), *_alerts(app), *_pool(app, slots), *app_pools.examine(slots)]
    worst = max((finding.level for finding in found), key=_ORDER.index)
    if as_json:
        say_json(Examined(worst, found))
    else:
        _print(found)
    sys.exit(1 if worst is Level.FAULT else 0)


def _versions() -> Finding:
    return ok("versions", f"Penstock {version('penstock')}, {platform.python_implementation()}"
                          f" {platform.python_version()}, {platform.platform()}")


def _store(app: Penstock) -> list[Finding]:
    try:
        return health.examine(app.store, app.layer_tables)
    except (StoreError, ConfigurationError) as error:
        return [fault("store", str(error), "")]  # such a message says itself what to do


def _pool(app: Penstock, slots: int) -> list[Finding]:
    """A SQLite store has one connection that writes, however many slots there are."""
    sqlite = app.settings.url.startswith("sqlite:")
    return [] if sqlite else [app_pools.store_pool(slots, app.settings.pool_size)]


def _alerts(app: Penstock) -> list[Finding]:
    """What fires; nothing where the store is not fit to be asked, which is a finding of its own."""
    try:
        firing = app.alerts()
    except (StoreError, ConfigurationError):
        return []
    if not firing:
        return [ok("alerts", "none fires")]
    return [warning("alerts", f"{alert.kind}: {alert.summary}", f"since {_time(alert.since_at)}; see docs/alerts.md")
            for alert in firing]


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _print(found: list[Finding]) -> None:
    about_width = max(len(finding.about) for finding in found)
    for finding in found:
        level = click.style(f"{finding.level:<{_LEVEL_WIDTH}}", fg=_COLOURS[finding.level])
        click.echo(f"{level}  {finding.about:<{about_width}}  {finding.found}")
        if finding.remedy:
            click.echo(f"{'':<{_LEVEL_WIDTH}}  {'':<{about_width}}  -> {finding.remedy}")
