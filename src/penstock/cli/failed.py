"""`penstock failed` and `penstock retry`: which records are not in order, by class of error; and those again."""

from datetime import UTC, datetime, timedelta

import click
import msgspec

from penstock.cli import completing
from penstock.cli.counting import counting
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.finding import find_app
from penstock.domain.errors import ConfigurationError
from penstock.sync.declaring.requesting import Requesting
from penstock.sync.state.failures import ErrorClass, error_classes
from penstock.sync.state.retrying import MOST_TOLD, Retried, Subjects, none_found, which
from penstock.sync.state.retrying import retry as make_due

_MOST = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Classes(msgspec.Struct):
    """What is wrong with records of a sync, identical errors together."""

    sync: str
    classes: list[ErrorClass]
    counted: int = 0
    """Of so many records."""
    more: bool = False
    """There are further ones, which nobody looked at."""


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@click.option("--most", default=_MOST, show_default=True, type=click.IntRange(1), metavar="N",
              help="Look at so many records.")
@json_option(Classes, says=TIMES)
@click.pass_context
def failed(context: click.Context, name: str, keys: tuple[str, ...], most: int, as_json: bool) -> None:
    """List what is wrong with records, identical errors together, the most frequent first.

    The first 100,000 records that are not in order are looked at, or as many as --most says. Where there are more, a
    line on stderr says so.
    """
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        found = error_classes(app.store, definition, [app.subject(name, key) for key in keys], most=most)
    if as_json:
        say_json(Classes(name, *found))
        return
    for each in found.classes:
        click.echo(_described(each))
    if found.more:
        click.echo(f"only the first {found.counted:,} were looked at, and there are more: --most {10 * most} looks"
                   " further", err=True)
    if not found.classes:
        click.echo("no record failed, is blocked or in doubt")


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--class", "error_class", metavar="CLASS", help="A class as `penstock failed` names it, or a code.")
@click.option("--layer", metavar="LAYER", shell_complete=completing.layers, help="Only records of this layer.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Only this record; may be repeated. Needs --layer.")
@click.option("--subject", "subjects", multiple=True, help="Only records of this subject; may be repeated.")
@json_option(Said)
@click.pass_context
def retry(context: click.Context, name: str, error_class: str | None, layer: str | None, keys: tuple[str, ...],
          subjects: tuple[str, ...], as_json: bool) -> None:
    """Let records that failed go again with the next run of their subjects, and request these runs.

    It goes on in pieces until all are due; whatever interrupts it leaves what was done by then, and the same command
    does the rest.
    """
    if keys and layer is None:
        raise ConfigurationError("--key: expected --layer beside it, since each layer has keys of its own")
    if error_class is None and layer is None and not subjects:
        raise ConfigurationError("expected --class, --layer or --subject, got none of them: say which records to retry")
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        wanted = which(definition, error_class=error_class, layer=layer, keys=keys,
                       subjects=[app.subject(name, key) for key in subjects])
        requested = Requesting(definition, app).using(reason="retry")

        def request(found: Subjects) -> None:
            requested.request_many(found.items())
            app.store.wake()

        with counting("retry") as tell:
            due = make_due(app.store, definition, wanted, request, told=lambda done: tell(done.count))
        if not due.count:
            raise none_found(definition, wanted, due.known)
    say(_said(due), as_json, changed=True)


def _said(due: Retried) -> str:
    count = f"{len(due.subjects)}{' or more' if len(due.subjects) >= MOST_TOLD else ''}"
    runs = f"{count} {'run is' if len(due.subjects) == 1 else 'runs are'} requested"
    return (f"{_counted(due.count)} of {', '.join(sorted(due.layers))} {'is' if due.count == 1 else 'are'} due now;"
            f" {runs}: {', '.join(list(due.subjects)[:5])}{' …' if len(due.subjects) > 5 else ''}")


def _described(each: ErrorClass) -> str:
    when = _time(each.last_at) if each.first_at == each.last_at else f"{_time(each.first_at)} to {_time(each.last_at)}"
    again = f"; again at {_time(each.retry_at)}" if each.retry_at is not None else ""
    more = " …" if each.count > len(each.keys) else ""
    return (f"{each.name}: {_counted(each.count)} of {each.layer} {each.status}: {each.message or 'no message'}\n"
            f"    {when}{again}: {', '.join(each.keys)}{more}")


def _counted(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _time(at: int) -> str:
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"
