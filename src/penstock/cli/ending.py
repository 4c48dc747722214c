"""How a command ends when it does not simply end: a line that says what went wrong, and an exit code; no traceback.

What stands first is the error, since that is what is looked for; how the command is used follows it.
"""

import sys
from collections.abc import Callable
from typing import NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from penstock.cli.exits import FAILED, INTERRUPTED, OK, WRONG


class Refused(click.ClickException):
    """An error of Penstock's, as a command says it: on stderr, a line for each fault.

    `before` is shown above them as it is, such as the traceback of a program that is not ours.
    """

    def __init__(self, faults: list[str], exit_code: int, before: str = "") -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
        self.before = before
        self.exit_code = exit_code  # type: ignore[misc]  # click has one for a class, we have several for this

    def show(self, file: object = None) -> None:
        if self.before:
            click.echo(self.before, err=True)
        for fault in self.faults:
            say_error(fault, self.show_color)


def say_error(text: str, color: bool | None) -> None:
    """One error."""
    click.echo(f"{click.style('error:', fg='red')} {text}", err=True, color=color)


def ended(command: Callable[[], object]) -> NoReturn:
    """Run a command and end with its exit code, having said what went wrong."""
    try:
        code = command()
    except click.ClickException as error:
        _say(error)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else OK)


def _say(error: click.ClickException) -> None:
    if isinstance(error, Refused | NoArgsIsHelpError):
        error.show()
        return
    say_error(error.format_message(), error.show_color)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\n`{error.ctx.command_path} --help` says more.", err=True)


def confirmed(question: str, yes: bool) -> None:
    """Ask a person, unless `--yes` has said so. Raises `Refused` where the answer is no, or nobody is there to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused([f"expected --yes, since there is no terminal to ask on: {question} Nothing was done"], WRONG)
    if not click.confirm(question, err=True):
        raise Refused(["nothing was done"], FAILED)
