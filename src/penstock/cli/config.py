"""`penstock config`: which settings are in force, and who says so."""

from pathlib import Path

import click
import msgspec

from penstock import config as settings
from penstock.cli.commands import Group
from penstock.cli.documents import json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.table import table

_ORIGINS = {"default": "default", "arguments": "argument"}
_HEADINGS = ("SETTING", "VALUE", "FROM")


class Shown(msgspec.Struct):
    """Where the app is and who says so, and every setting. What is secret is masked."""

    app: str
    app_origin: settings.Origin
    settings: list[settings.Setting]


@click.group("config", cls=Group)
def config() -> None:
    """Look at the settings that are in force."""


@config.command()
@json_option(Shown)
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """Show each setting, its value and where it came from: the file, the environment, the app's arguments, or nowhere.

    Passwords, keys and secrets are masked. The store is not opened.
    """
    app = find_app(context)
    name, origin = settings.app_named(context.find_root().obj, Path.cwd())
    found = app.configuration()
    if as_json:
        say_json(Shown(name or "", origin, found))
        return
    where = "--app" if origin == "arguments" else _origin("app", origin)
    click.echo(table(_HEADINGS, [("app", name or "", where),
                                 *((each.name, _value(each.value), _origin(each.name, each.origin))
                                   for each in found)]))


def _origin(name: str, origin: str) -> str:
    return f"environment (PENSTOCK_{name.upper()})" if origin == "environment" else _ORIGINS.get(origin, origin)


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
