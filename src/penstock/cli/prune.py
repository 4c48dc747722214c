"""`penstock prune`: remove now what retention allows, in bounded steps."""

import click
import msgspec

from penstock.cli.counting import counting
from penstock.cli.documents import json_option, say_json
from penstock.cli.finding import find_app


class Pruned(msgspec.Struct):
    """How many were removed, by what they were. Of parts of a table that are emptied whole, nobody counts the rows."""

    removed: dict[str, int]


@click.command()
@json_option(Pruned)
@click.pass_context
def prune(context: click.Context, as_json: bool) -> None:
    """Remove what is past its retention: finished jobs, results, marks, keys, rates, runs, traces.

    Every worker does so once a minute. It may be stopped at any time: what was removed by then is.
    """
    removed: dict[str, int] = {}
    with find_app(context) as app:
        app.check()
        with counting("removed") as tell:
            for what, rows in app.prune():
                removed[what] = removed.get(what, 0) + rows
                tell(sum(removed.values()))
    if as_json:
        say_json(Pruned(removed))
        return
    for what, rows in removed.items():
        if rows:
            click.echo(f"{rows:,} {what}")
    if not any(removed.values()):
        click.echo("nothing to remove")
