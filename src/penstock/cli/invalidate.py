"""`penstock invalidate`: make all jobs of a tag pointless, by one row."""

import click

from penstock.cli.documents import Said, json_option, say
from penstock.cli.finding import find_app


@click.command()
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@json_option(Said)
@click.pass_context
def invalidate(context: click.Context, tags: tuple[str, ...], as_json: bool) -> None:
    """Make every job pointless that was enqueued under one of these tags before now, however many there are."""
    with find_app(context) as app:
        app.check()
        app.invalidate(*tags)
    say(f"jobs enqueued under {', '.join(tags)} before now end as cancelled when their turn comes, unrun", as_json)
