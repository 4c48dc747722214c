"""The command line: `penstock`. Each command is a file; this one has what comes before all of them.

Exit codes are in `exits.py`. What is printed on stdout is the answer; what is said by the way goes to stderr, as errors
do.
"""

import os
from collections.abc import Mapping

import click

from penstock.cli.commands import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--app", "app", metavar="MODULE:APP", help="The app; else PENSTOCK_APP, else [tool.penstock] app.")
@click.option("--no-color", is_flag=True, help="Print without colours, as NO_COLOR in the environment says too;"
                                               " FORCE_COLOR prints them where there is no terminal.")
@click.version_option(package_name="penstock", prog_name="penstock")
@click.pass_context
def cli(context: click.Context, app: str | None, no_color: bool) -> None:
    """Keep other people's APIs in step with your database, and run background jobs on the same engine."""
    context.obj = app
    context.color = colours(no_color, os.environ)


def colours(refused: bool, environment: Mapping[str, str]) -> bool | None:
    """Whether to print in colour; None: on a terminal. `NO_COLOR` and `FORCE_COLOR` count unless they are empty."""
    if refused or environment.get("NO_COLOR"):
        return False
    return True if environment.get("FORCE_COLOR") else None


def main() -> None:
    """The entry point."""
    cli(prog_name="penstock")
