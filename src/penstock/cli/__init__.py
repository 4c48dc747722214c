"""The command line: `penstock`. Each command is a file; this one finds the app and says errors in one way.

Exit codes: 0 all is well; 1 something failed and the message says what; 2 the command or the configuration is wrong;
3 of `sync --plan`: nothing failed, but some changes were left.
"""

import sys
from importlib import import_module

import click

from penstock.domain.errors import ConfigurationError, PenstockError

_MODULES = {name: name for name in ("advise", "approve", "audit", "demo", "doctor", "failed", "init", "limits",
                                    "migrate", "periodic", "plan", "queues", "runs", "state", "sync", "traces", "why",
                                    "worker")
            } | {"retry": "failed"}


class Commands(click.Group):
    """Imports a command when it is asked for, so that none waits for what only others need."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in _MODULES:
            return _imported(name)
        self.commands.update({each: _imported(each) for each in _MODULES})  # for what is said of a name that is wrong
        return None


def _imported(name: str) -> click.Command:
    command: click.Command = getattr(import_module(f"penstock.cli.{_MODULES[name]}"), name)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--app", "app", metavar="MODULE:APP", help="The app; else PENSTOCK_APP, else [tool.penstock] app.")
@click.version_option(package_name="penstock", prog_name="penstock")
@click.pass_context
def cli(context: click.Context, app: str | None) -> None:
    """Keep other people's APIs in step with your database, and run background jobs on the same engine."""
    context.obj = app


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
