"""`penstock failed` and `penstock retry`: which records are not in order, by class of error; and those again."""

from datetime import UTC, datetime, timedelta

import click
import msgspec

from penstock.cli import completing
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.finding import find_app
from penstock.domain.errors import ConfigurationError
from penstock.sync.state.failures import ErrorClass, error_classes
from penstock.sync.state.failures import retry as make_due

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Classes(msgspec.Struct):
    """What is wrong with records of a sync, identical errors together."""

    sync: str
    classes: list[ErrorClass]


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@json_option(Classes, says=TIMES)
@click.pass_context
def failed(context: click.Context, name: str, keys: tuple[str, ...], as_json: bool) -> None:
    """List what is wrong with records, identical errors together, the most frequent first."""
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        found = error_classes(app.store, definition, [app.subject(name, key) for key in keys])
    if as_json:
        say_json(Classes(name, found))
        return
    for each in found:
        click.echo(_described(each))
    if not found:
        click.echo("no record failed, is blocked or in doubt")


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--class", "error_class", metavar="CLASS", help="A class as `penstock failed` names it, or a code.")
@click.option("--layer", metavar="LAYER", help="Only records of this layer.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Only this record; may be repeated. Needs --layer.")
@click.option("--subject", "subjects", multiple=True, help="Only records of this subject; may be repeated.")
@json_option(Said)
@click.pass_context
def retry(context: click.Context, name: str, error_class: str | None, layer: str | None, keys: tuple[str, ...],
          subjects: tuple[str, ...], as_json: bool) -> None:
    """Let records that failed go again with the next run of their subjects, and request these runs."""
    if keys and layer is None:
        raise ConfigurationError("--key: expected --layer beside it, since each layer has keys of its own")
    if error_class is None and layer is None and not subjects:
        raise ConfigurationError("expected --class, --layer or --subject, got none of them: say which records to retry")
    with find_app(context) as app:
        app.check()
        due = make_due(app.store, app.definition(name), error_class=error_class, layer=layer, keys=keys,
                       subjects=[app.subject(name, key) for key in subjects])
        app.request([{"sync": name, "subject": subject, "account": account, "priority": 0, "reason": "retry"}
                     for subject, account in due.subjects.items()])
        app.store.wake()
    runs = f"{len(due.subjects)} {'run is' if len(due.subjects) == 1 else 'runs are'} requested"
    say(f"{_counted(due.count)} of {', '.join(sorted(due.layers))} {'is' if due.count == 1 else 'are'} due now;"
        f" {runs}: {', '.join(list(due.subjects)[:5])}{' …' if len(due.subjects) > 5 else ''}", as_json,
        changed=due.count > 0)


def _described(each: ErrorClass) -> str:
    when = _time(each.last_at) if each.first_at == each.last_at else f"{_time(each.first_at)} to {_time(each.last_at)}"
    again = f"; again at {_time(each.retry_at)}" if each.retry_at is not None else ""
    more = " …" if each.count > len(each.keys) else ""
    return (f"{each.name}: {_counted(each.count)} of {each.layer} {each.status}: {each.message or 'no message'}\n"
            f"    {when}{again}: {', '.join(each.keys)}{more}")


def _counted(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"


def _time(at: int) -> str:
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"
