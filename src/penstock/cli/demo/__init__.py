"""`penstock demo`: a directory of people, synchronised into a real SCIM server before your eyes."""

import click


@click.command()
def demo() -> None:
    """Synchronise a directory of people into a real SCIM server."""
    raise click.ClickException("the demo is not there yet")
