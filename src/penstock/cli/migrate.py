"""`penstock migrate`: makes the engine's and the layers' tables."""

import click
import msgspec

from penstock.cli.documents import json_option, say_json
from penstock.cli.finding import find_app


class Made(msgspec.Struct):
    """The names of what was made: migrations, and tables of layers."""

    made: list[str]


class Script(msgspec.Struct):
    """What would run."""

    sql: str


@click.command()
@click.option("--sql", is_flag=True, help="Print what would run, and run nothing.")
@json_option(Made, Script)
@click.pass_context
def migrate(context: click.Context, sql: bool, as_json: bool) -> None:
    """Bring the store's tables up to date with this version and this app's layers."""
    with find_app(context) as app:
        if sql:
            text = app.migration_sql()
            if as_json:
                say_json(Script(text))
            else:
                click.echo(text, nl=False)
            return
        done = app.migrate()
        if as_json:
            say_json(Made(done))
            return
        for name in done:
            click.echo(f"made {name}")
        if not done:
            click.echo("nothing to do: the store is up to date")
