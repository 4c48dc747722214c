"""What `--json` prints: documents of types, from which `--json-schema` prints their JSON Schema.

A command declares the types of what it may print by `@json_option(Type, …)`, and prints one with `say_json`. A test
holds what commands print to the schema, so a field that is printed is a field that is declared.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

Command = TypeVar("Command", bound=Callable[..., Any])

TIMES = "times are milliseconds since 1970, UTC"


class Said(msgspec.Struct, frozen=True):
    """What came of a command that changes something, and is no document of its own."""

    changed: bool
    """Whether anything is other than before."""
    says: str
    """The line that people are shown."""


class JsonOption(click.Option):
    """`--json`, which knows what is printed then."""

    documents: tuple[Any, ...] = ()


def json_option(*documents: Any, says: str = "") -> Callable[[Command], Command]:
    """`--json` (as `as_json`) and `--json-schema`, for a command that prints one of these documents."""

    def show(context: click.Context, option: click.Parameter, asked: bool) -> None:
        if asked and not context.resilient_parsing:
            click.echo(msgspec.json.format(msgspec.json.encode(schema(_path(context), documents))).decode())
            context.exit()

    def decorated(command: Command) -> Command:
        hint = f"; {says}" if says else ""
        command = click.option("--json-schema", is_flag=True, is_eager=True, expose_value=False, callback=show,
                               help="Print the JSON Schema of what --json prints, and do nothing.")(command)
        kind = type("JsonOption", (JsonOption,), {"documents": documents})
        return click.option("--json", "as_json", is_flag=True, cls=kind, help=f"Print it as JSON{hint}.")(command)

    return decorated


def written(document: Any) -> str:
    """A document as it is printed, on one line."""
    return msgspec.json.encode(document).decode()


def say_json(document: Any) -> None:
    """Print a document."""
    click.echo(written(document))


def say(says: str, as_json: bool, *, changed: bool = True) -> None:
    """Print what came of a command that changes something."""
    if as_json:
        say_json(Said(changed, says))
    else:
        click.echo(says)


def schema(command: str, documents: tuple[Any, ...]) -> dict[str, Any]:
    """The JSON Schema of what a command prints: of one document, or of any one of several."""
    found, components = msgspec.json.schema_components(documents, ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"penstock {command} --json",
            **(found[0] if len(found) == 1 else {"anyOf": list(found)}), "$defs": components}


def _path(context: click.Context) -> str:
    """How the command is typed after `penstock`, whatever the program was started as."""
    return context.command_path.partition(" ")[2]
