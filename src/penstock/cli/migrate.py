"""`penstock migrate`: makes the engine's and the layers' tables."""

import click

from penstock.cli.finding import find_app


@click.command()
@click.option("--sql", is_flag=True, help="Print what would run, and run nothing.")
@click.pass_context
def migrate(context: click.Context, sql: bool) -> None:
    """Bring the store's tables up to date with this version and this app's layers."""
    with find_app(context) as app:
        if sql:
            click.echo(app.migration_sql(), nl=False)
            return
        done = app.migrate()
        for name in done:
            click.echo(f"made {name}")
        if not done:
            click.echo("nothing to do: the store is up to date")
