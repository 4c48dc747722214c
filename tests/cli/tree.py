"""The commands as click knows them, and the schema of what each prints."""

import json
from collections.abc import Iterator
from typing import Any

import click
import jsonschema

from penstock.cli import cli
from penstock.cli.documents import JsonOption, schema


def commands(of: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command and group below one, as it is typed after `penstock`; itself first."""
    yield " ".join(path), of
    if isinstance(of, click.Group):
        context = click.Context(of)
        for name in of.list_commands(context):
            found = of.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


def options(of: click.Command) -> list[str]:
    """The options of a command as they are typed, except for those that are no business of its own."""
    return [name for each in of.params if isinstance(each, click.Option) and not each.hidden
            for name in (*each.opts, *each.secondary_opts)]


JSON = {path: command for path, command in commands() if "--json" in options(command)}


def schema_of(path: str) -> dict[str, Any]:
    """What `penstock PATH --json-schema` prints, and nothing beyond what it names."""
    (option,) = (each for each in JSON[path].params if isinstance(each, JsonOption))
    return dict(_closed(schema(path, option.documents)))


def hold(path: str, printed: str) -> Any:
    """What was printed, which has to be as the schema says."""
    found = json.loads(printed)
    jsonschema.validate(found, schema_of(path))
    return found


def _closed(part: Any) -> Any:
    """A schema that allows no property but those that it names."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {name: _closed(each) for name, each in part.items()}
    return {**found, "additionalProperties": False} if isinstance(part.get("properties"), dict) else found
