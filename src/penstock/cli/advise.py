"""`penstock advise`: what would make work of a name faster, tried as far as it may be, or a migration of it."""

import sys
from typing import Any

import click

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.advice_json import AllAdvice, Migrations, document
from penstock.cli.advice_text import lines
from penstock.cli.choice import Choice
from penstock.cli.documents import json_option, written
from penstock.cli.finding import find_app
from penstock.cli.spans import span
from penstock.domain.errors import ConfigurationError

_STYLES = ("sql", "alembic", "django")


@click.command()
@click.argument("name", shell_complete=completing.work)
@click.option("--on", metavar="URL", help="A copy of the database that may be experimented on: a QA database, a fork, a"
                                          " restored dump. What is built there is dropped again.")
@click.option("--migration", type=Choice(_STYLES), help="Print the migration that makes the proposed index.")
@click.option("--previous", metavar="NAME", help="The migration before it: a revision of Alembic, app.0007_name of"
                                                 " Django.")
@click.option("--kind", type=Choice(("task", "window", "run", "layer", "trace")), help="Only of this kind.")
@click.option("--since", metavar="TIME", help="Of what ended in this time, such as 2h or 7d; else of the last day, week"
                                              " or month in which something was traced.")
@click.option("--limit", default=3, show_default=True, type=click.IntRange(1, 50), help="At most so many statements.")
@click.option("--analyse", is_flag=True, help="Statements that only read may be run in the explained database, to"
                                              " measure their plans.")
@click.option("--rolled-back", is_flag=True, help="Try on the copy with an index that is rolled back, not dropped.")
@json_option(AllAdvice, Migrations, says="times are microseconds")
@click.pass_context
def advise(context: click.Context, name: str, on: str | None, migration: Any, previous: str | None, kind: Any,
           since: str | None, limit: int, analyse: bool, rolled_back: bool, as_json: bool) -> None:
    """Say what would make a task, a sync or a trace NAME faster: indexes, other statements, and why not others.

    Without --on a verdict is likely at best; with it, what is proposed is measured on the copy.
    """
    from penstock.advise.asking.options import Options

    if previous is not None and migration is None:
        raise ConfigurationError("--previous: expected --migration alembic or django beside it")
    with find_app(context) as app:
        app.check()
        asked = on is not None or since is not None or kind is not None or analyse or rolled_back
        found = None if migration and not asked else app.advise(
            name, kind=kind, since=span(since, "--since") if since else None, on=on, limit=limit,
            options=Options(analyse=analyse, rolled_back=rolled_back), tell=_tell)
        if migration or found is None:
            text = _migration(app, name, migration, previous, as_json)
        elif as_json:
            text = written(document(found))
        else:
            text = "\n".join(lines(found))
    click.echo(text)


def _tell(line: str) -> None:
    """A word for whoever waits at a terminal."""
    if sys.stderr.isatty():
        click.echo(f"{line} …", err=True)


def _migration(app: Penstock, name: str, style: Any, previous: str | None, as_json: bool) -> str:
    """The migrations of what was advised and is to be shipped; advice is asked for where there is none yet."""
    found = app.migrations(name, style, previous=previous)
    if not found.texts and not found.notes:
        advised = app.advise(name, tell=_tell)
        found = app.migrations(name, style, previous=previous)
        for verdict in (each for advice in advised.advice for each in advice.verdicts):
            if verdict.decision != "ship" and verdict.candidate is not None:
                click.echo(f"{verdict.candidate.name}: {verdict.decision}, {verdict.reason}", err=True)
    for note in found.notes:
        click.echo(note, err=True)
    if not found.texts:
        sys.exit(1)
    return written(Migrations(found.texts)) if as_json else "\n".join(found.texts)
