"""The command line: `penstock`. Each command is a file; this one finds the app and says errors in one way.

Exit codes: 0 all is well; 1 something failed and the message says what; 2 the command or the configuration is wrong;
3 of `sync --plan`: nothing failed, but some changes were left.
"""

import sys
from importlib.metadata import version

import click

from penstock.cli.approve import approve
from penstock.cli.audit import audit
from penstock.cli.demo import demo
from penstock.cli.doctor import doctor
from penstock.cli.failed import failed, retry
from penstock.cli.init import init
from penstock.cli.limits import limits
from penstock.cli.migrate import migrate
from penstock.cli.periodic import periodic
from penstock.cli.plan import plan
from penstock.cli.queues import queues
from penstock.cli.runs import runs
from penstock.cli.state import state
from penstock.cli.sync import sync
from penstock.cli.why import why
from penstock.cli.worker import worker
from penstock.domain.errors import ConfigurationError, PenstockError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--app", "app", metavar="MODULE:APP", help="The app; else PENSTOCK_APP, else [tool.penstock] app.")
@click.version_option(version("penstock"), prog_name="penstock")
@click.pass_context
def cli(context: click.Context, app: str | None) -> None:
    """Keep other people's APIs in step with your database, and run background jobs on the same engine."""
    context.obj = app


for command in (approve, audit, demo, doctor, failed, init, limits, migrate, periodic, plan, queues, retry, runs, state,
                sync, why, worker):
    cli.add_command(command)


def main() -> None:
    """The entry point: runs a command and turns Penstock's errors into a message and an exit code."""
    try:
        cli(prog_name="penstock")
    except ConfigurationError as error:
        click.echo("".join(f"error: {fault}\n" for fault in error.faults), err=True, nl=False)
        sys.exit(2)
    except PenstockError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
