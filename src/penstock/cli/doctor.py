"""`penstock doctor`: looks at what the app runs on, and says what is wrong with it and what to do."""

import sys

import click
import msgspec

from penstock.cli import completing
from penstock.cli.documents import json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.worker import read_slots
from penstock.domain.finding import Finding, Level

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
        found = app.examine(read_slots(queues))
    worst = max((finding.level for finding in found), key=list(Level).index)
    if as_json:
        say_json(Examined(worst, found))
    else:
        _print(found)
    sys.exit(1 if worst is Level.FAULT else 0)


def _print(found: list[Finding]) -> None:
    about_width = max(len(finding.about) for finding in found)
    for finding in found:
        level = click.style(f"{finding.level:<{_LEVEL_WIDTH}}", fg=_COLOURS[finding.level])
        click.echo(f"{level}  {finding.about:<{about_width}}  {finding.found}")
        if finding.remedy:
            click.echo(f"{'':<{_LEVEL_WIDTH}}  {'':<{about_width}}  -> {finding.remedy}")
