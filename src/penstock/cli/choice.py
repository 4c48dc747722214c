"""A choice that guesses what was meant by one that there is not."""

from typing import Any

import click

from penstock.domain.names import did_you_mean


class Choice(click.Choice[Any]):
    """One of some words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            guess = did_you_mean(str(value), self.choices)
            raise click.BadParameter(f"{error.message.rstrip('.')}{guess or '.'}", ctx, param) from None
