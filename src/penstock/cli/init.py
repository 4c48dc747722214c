"""`penstock init`: writes an app to start from."""

import click


@click.command()
def init() -> None:
    """Write a working app.py and say what to do next."""
    raise click.ClickException("init is not there yet")
