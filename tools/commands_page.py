"""Writes what docs/cli.md says of each command, from what the command says of itself: `python tools/commands_page.py`.

A test compares the two, so that a page that was forgotten is noticed.
"""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from penstock.cli import cli
from penstock.cli.commands import GROUPS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
BEGINS = "<!-- from here on written by tools/commands_page.py -->\n"
EVERYWHERE = frozenset({"--json", "--json-schema"})
"""Options that the page explains once, for all commands that have them."""
_WIDTH = 118
_WORDS = {"TEXT": "NAME", "INTEGER": "N", "FLOAT": "SECONDS", "INTEGER RANGE": "N", "FLOAT RANGE": "SECONDS"}


def commands(of: click.Command = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command and group below one, as it is typed after `penstock`."""
    if not isinstance(of, click.Group):
        return
    context = click.Context(of)
    for name in of.list_commands(context):
        found = of.get_command(context, name)
        assert found is not None
        yield f"{path} {name}".strip(), found
        yield from commands(found, f"{path} {name}".strip())


def body() -> str:
    """All sections, in the order of `penstock --help`."""
    known = dict(commands())
    parts = []
    for title, group in GROUPS.items():
        parts.append(f"## {title}\n")
        for name in group:
            parts += [_section(path, command) for path, command in known.items()
                      if path == name or path.startswith(f"{name} ")]
    return "\n".join(parts)


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command)
    typed = [path, *(["COMMAND"] if isinstance(command, click.Group) and not command.invoke_without_command else []),
             *(each.make_metavar(context) for each in command.params if isinstance(each, click.Argument))]
    usage = f"`penstock {' '.join(typed)}`\n\n" if len(typed) > 1 else ""
    rows = [_row(each, command) for each in command.params
            if isinstance(each, click.Option) and not each.hidden and not EVERYWHERE & set(each.opts)]
    table = "\n| Option | What it is for |\n|---|---|\n" + "".join(rows) if rows else ""
    return f"{'#' * (3 + path.count(' '))} {path}\n\n{usage}{_text(command)}\n{table}"


def _text(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").replace("\b\n", "").split("\n\n")
    return "\n\n".join(textwrap.fill(each.replace("*", r"\*"), _WIDTH, break_on_hyphens=False, break_long_words=False)
                       for each in paragraphs)


def _row(option: click.Option, command: click.Command) -> str:
    typed = ", ".join(option.opts)
    if not option.is_flag:
        metavar = option.make_metavar(click.Context(command)).strip("[]{}")
        typed += f" {_WORDS.get(metavar, metavar)}"
    default = ""
    if option.show_default and option.default is not None:
        values = option.default if isinstance(option.default, tuple) else (option.default,)
        default = f" Default: {', '.join(map(str, values))}."
    return "| `{}` | {} |\n".format(*(cell.replace("|", r"\|") for cell in (typed, f"{option.help or ''}{default}")))


def main() -> int:
    said = PAGE.read_text("utf-8")
    PAGE.write_text(said[:said.index(BEGINS) + len(BEGINS)] + "\n" + body(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
