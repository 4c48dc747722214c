"""`penstock init`: writes an app to start from, and says what to do next. What it prints works as it stands.

Nothing that exists is overwritten, and no credentials are written down: a source that may have some is named by an
environment variable.
"""

import re
import shlex
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from string import Template

import click
import msgspec

from penstock.cli.documents import json_option, say_json
from penstock.domain.errors import PenstockError
from penstock.domain.records import Subject
from penstock.sync.declaring.ports import Run

_PEOPLE = ((1, "First Person", "first@example.com"), (2, "Zweite Person", "zweite@example.com"),
           (3, "Üçüncü Kişi", "ucuncu@example.com"))
_PEOPLE_FILE, _PEOPLE_QUERY = "people.db", "select id, name, email from people"


@dataclass(frozen=True, slots=True)
class Table:
    """Where the records of a sync come from."""

    name: str
    source: str
    query: str
    key: str
    columns: Sequence[str]


class Started(msgspec.Struct):
    """What was written, and the commands to type next."""

    wrote: str
    next: list[str]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--sync", is_flag=True, help="Write a sync instead of a task, with a destination that only prints.")
@click.option("--source", metavar="URL", help="A database of yours to sync from: sqlite:///file.db or postgresql://…")
@click.option("--table", metavar="NAME", help="The table there.")
@click.option("--query", metavar="SQL", help="Or a query there.")
@click.option("--key", metavar="COLUMN", help="The column that identifies a record for ever.")
@click.option("--force", is_flag=True, help="Overwrite an app.py that exists.")
@json_option(Started)
def init(folder: Path, sync: bool, source: str | None, table: str | None, query: str | None, key: str | None,
         force: bool, as_json: bool) -> None:
    """Write a working app.py into FOLDER (here, if none is named), and say what to do next."""
    path = folder / "app.py"
    if path.exists() and not force:
        raise click.ClickException(f"{path} exists already: name another folder, or overwrite it with --force")
    if source:
        found = _given(source, table, query, key)
        if folder != Path() and source.startswith("sqlite:"):  # the app will be run in that folder, not in this one
            found = replace(found, source=f"sqlite:///{Path(source.removeprefix('sqlite:///')).absolute()}")
    elif table or query or key:
        raise click.UsageError("--table, --query and --key are about the database that --source names")
    else:
        found = Table("people", f"sqlite:///{_PEOPLE_FILE}", _PEOPLE_QUERY, "id", ("name", "email"))
    wanted = sync or source is not None
    text = _sync(found) if wanted else _template("task")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        if wanted and not source and not (folder / _PEOPLE_FILE).exists():
            _make_people(folder / _PEOPLE_FILE)
    except OSError as error:
        raise click.ClickException(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    following = _next(folder, found if wanted else None)
    if as_json:
        say_json(Started(str(path), following))
        return
    click.echo(f"Wrote {path}. Next:\n")
    for line in following:
        click.echo(f"  {line}")


def _given(source: str, table: str | None, query: str | None, key: str | None) -> Table:
    """The table of --source, read once to see that it can be."""
    if bool(table) == bool(query) or not key:
        raise click.UsageError("--source needs --key, and either --table or --query")
    from penstock.connectors import SQLSource  # here, or every other command would wait for what few need

    query = query or f"select * from {table}"
    pages = SQLSource(source, query, key=key).pages(Run(Subject("all")), 1)
    try:
        first = next(pages, [])
    except PenstockError as error:
        raise click.ClickException(f"{error}") from error
    finally:
        pages.close()
    name = re.sub(r"\W+", "_", (table or "records").rpartition(".")[2]).strip("_").lower()
    return Table(name if name.isidentifier() else "records", source, query, key,
                 [column for column in (first[0] if first else ()) if column != key] or [key])


def _sync(table: Table) -> str:
    local = table.source.startswith("sqlite:")
    return _template(
        "sync", name=table.name, title=table.name.title().replace("_", ""), key=_literal(table.key),
        imports="" if local else "\nimport os\n", query=_literal(table.query),
        source=_literal(table.source) if local else 'os.environ["SOURCE_URL"]',
        rendered="{" + ", ".join(f"{_literal(each)}: record[{_literal(each)}]" for each in table.columns) + "}")


def _literal(text: str) -> str:
    """The text as Python source, in double quotes where it can be."""
    return f'"{text}"' if text.isprintable() and not {'"', "\\"} & set(text) else repr(text)


def _template(of: str, **values: str) -> str:
    return Template(files("penstock.cli").joinpath("templates", f"{of}.txt").read_text("utf-8")).substitute(values)


def _make_people(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table people (id integer primary key, name text not null, email text not null)")
        connection.executemany("insert into people values (?, ?, ?)", _PEOPLE)


def _next(folder: Path, table: Table | None) -> list[str]:
    """The commands to type, which work as they stand."""
    lines = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    lines.append("export PENSTOCK_APP=app:app")
    if table is None:
        return [*lines, "penstock worker                                            # runs jobs until Ctrl-C",
                """python -c 'from app import greet; greet.enqueue("Ada")'    # in another terminal"""]
    if not table.source.startswith("sqlite:"):
        lines.append("export SOURCE_URL=…    # the URL that you gave as --source")
    return [*lines, f"penstock plan {table.name}    # what would be sent; sends nothing",
            f"penstock sync {table.name}    # sends it; this destination only prints",
            f"penstock plan {table.name}    # nothing is left to do"]
