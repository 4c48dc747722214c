"""A command that lists what its arguments name, and has commands below it."""

from typing import Any

import click

_CHOSEN = "penstock.cli.listing"


class Listing(click.Group):
    """A group with arguments of its own: its first word is a command where there is one of that name, else an argument.

    After `--` it is an argument whatever it is.
    """

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        chosen = bool(arguments) and arguments[0] in self.commands
        context.meta[_CHOSEN] = chosen
        if not chosen:
            context.allow_interspersed_args, context.allow_extra_args = True, False
        return super().parse_args(context, arguments)

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        found = super().get_params(context)
        return [each for each in found if not isinstance(each, click.Argument)] if context.meta.get(_CHOSEN) else found

    def format_usage(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for what it lists, one for what is below."""
        pieces: list[Any] = click.Command.collect_usage_pieces(self, context)
        formatter.write_usage(context.command_path, " ".join(pieces))
        formatter.write_usage(context.command_path, "COMMAND [ARGS]...")
