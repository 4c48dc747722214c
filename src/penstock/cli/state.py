"""`penstock state`: what the state of a sync's layers says, and what a person says against it."""

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
import msgspec

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.choice import Choice
from penstock.cli.commands import Group
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.ending import confirmed
from penstock.cli.finding import find_app
from penstock.cli.table import table
from penstock.domain.errors import ConfigurationError, RunAtWork
from penstock.domain.keys import spoken_key
from penstock.domain.records import RecordState
from penstock.sync.declaring.address import key_of, layer_of
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.surgery import StateRow, Surgery, show
from penstock.sync.vanished import Claimed, claimed, unclaim, vanished

_AGAIN_SECONDS = 0.02
_TOGETHER = 200
"""Rows that are printed at once."""
_HEADINGS = ("LAYER", "SCOPE", "KEY", "STATUS", "REMOTE ID", "CHANGED", "RUN", "ERROR")


class Claims(msgspec.Struct):
    """What subjects claim of rows that are shared; `changed` where it was let go."""

    changed: bool
    claims: list[Claimed]


class Rows(msgspec.Struct):
    """Rows of the state; where there are more, `after` is [layer, scope, key] of the last of them."""

    rows: list[StateRow]
    after: tuple[str, str, str] | None


@click.group(cls=Group)
def state() -> None:
    """Look at what is remembered of records, and put it right by hand."""


def _place(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say whose record is meant, where its key alone does not."""
    for option in (
        click.option("--account", help="The account, for a layer whose scope is that."),
        click.option("--subject", help="The subject whose record it is; needed where several have the key."),
        click.option("--wait", "wait_seconds", type=float, default=0.0, metavar="SECONDS",
                     help="Wait so long for a run that is at work there."),
        json_option(Said),
    ):
        command = option(command)
    return click.pass_context(command)


@state.command("show")
@click.argument("name", shell_complete=completing.syncs)
@click.option("--layer", "layer_name", shell_complete=completing.layers, help="Only of this layer.")
@click.option("--subject", help="Only what is in the scope of this subject.")
@click.option("--account", help="Only of this account, in layers whose scope is that.")
@click.option("--status", type=Choice([each.value for each in RecordState]), help="Only rows in this state.")
@click.option("--limit", type=click.IntRange(0), default=100, show_default=True, help="So many rows; 0: all.")
@click.option("--after", metavar="JSON", help="Go on after this row: [layer, scope, key].")
@json_option(Rows, says=TIMES)
@click.pass_context
def show_rows(context: click.Context, name: str, layer_name: str | None, subject: str | None, account: str | None,
              status: str | None, limit: int, after: str | None, as_json: bool) -> None:
    """Show the rows of a sync's state, page by page."""
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        layers = [layer_of(definition, layer_name)] if layer_name else list(definition.layers)
        start = _start(after)
        if start is not None:
            layers = list(itertools.dropwhile(lambda layer: layer.name != start[0], layers))

        def rows() -> Iterator[StateRow]:
            for layer in layers:
                place = start[1:] if start is not None and start[0] == layer.name else ("", "")
                if account is not None and subject is None and not layer.account_scoped:
                    continue
                scope = _scope(app, name, layer, subject, account if layer.account_scoped else None)
                for page in show(app.store, layer, scope=scope, status=status, after=place):
                    yield from page

        found = rows()
        shown = found if limit == 0 else itertools.islice(found, limit)
        last = _print_json(shown) if as_json else _print(shown)
        following = last if last is not None and next(found, None) is not None else None
        if as_json:
            click.echo(f'],"after":{msgspec.json.encode(_cursor(following)).decode()}}}')
        elif following is not None:
            click.echo(f"there is more: --after '{msgspec.json.encode(_cursor(following)).decode()}'")


@state.command()
@click.argument("name", shell_complete=completing.syncs)
@click.argument("layer_name", metavar="LAYER", shell_complete=completing.layers)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option("--anew", is_flag=True, help="They are surely not at the destination: create them without a look-up.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_place
def forget(context: click.Context, name: str, layer_name: str, keys: tuple[str, ...], anew: bool, yes: bool,
           subject: str | None, account: str | None, wait_seconds: float, as_json: bool) -> None:
    """Forget which remote records these are: the next run looks them up, or creates them anew.

    The destination is not asked, and keeps what it has.
    """
    with find_app(context) as app:
        surgery, scope = _surgery(app, name, layer_name, subject, account)
        found = surgery.find([key_of(surgery.layer, key) for key in keys], scope)
        then = "looked up" if surgery.looks_up and not anew else "created anew"
        for row in found:
            click.echo(f"{layer_name} {row.key} of {row.scope}: {row.status}, remote id {row.remote_id or '-'}",
                       err=as_json)
        confirmed(f"forget {len(found)} of {layer_name}, to be {then} by the next run?", yes)
        for each in dict.fromkeys(row.scope for row in found):
            own = [row.key for row in found if row.scope == each]
            patiently(wait_seconds, partial(surgery.forget, each, own, anew=anew))
        say(f"forgotten; what the source still has is {then} by the next run", as_json, changed=bool(found))


@state.command("unclaim")
@click.argument("name", shell_complete=completing.syncs)
@click.argument("subject", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", "wait_seconds", type=float, default=0.0, metavar="SECONDS",
              help="Wait so long for a run that is at work there.")
@json_option(Claims)
@click.pass_context
def let_go(context: click.Context, name: str, subject: str | None, yes: bool, wait_seconds: float,
           as_json: bool) -> None:
    """Let go what SUBJECT, which is gone, claims of rows that subjects share; without it, show who is gone and claims.

    Rows that nobody else claims are deleted once every subject of their account was read since, under the guard.
    """
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        found = claimed(app.store, definition, [subject]) if subject else vanished(app.store, definition)
        for each in found:
            click.echo(f"{each.subject}: claims {each.rows:,} of {each.layer}, {each.alone:,} of them alone",
                       err=as_json)
        says, going = f"{subject} claims nothing" if subject else "nobody who is gone claims anything", False
        if found and subject is not None:
            confirmed(f"let go what {subject} claims?", yes)
            patiently(wait_seconds, lambda: unclaim(app.store, definition, subject))
            says, going = "let go; what nobody else claims is deleted as the account's subjects are read", True
        if as_json:
            say_json(Claims(going, found))
        elif going or not found:
            click.echo(says)


@state.command()
@click.argument("name", shell_complete=completing.syncs)
@click.argument("layer_name", metavar="LAYER", shell_complete=completing.layers)
@click.argument("key")
@click.argument("remote_id")
@_place
def adopt(context: click.Context, name: str, layer_name: str, key: str, remote_id: str, subject: str | None,
          account: str | None, wait_seconds: float, as_json: bool) -> None:
    """Say that a record is REMOTE_ID at the destination: the next run updates it, and creates nothing."""
    with find_app(context) as app:
        surgery, scope = _surgery(app, name, layer_name, subject, account)
        own = key_of(surgery.layer, key)
        where = scope if scope is not None else surgery.find([own])[0].scope
        patiently(wait_seconds, lambda: surgery.adopt(where, own, remote_id))
        say(f"{layer_name} {own} of {where} is {remote_id}; the next run updates it", as_json)


@state.command()
@click.argument("name", shell_complete=completing.syncs)
@click.argument("layer_name", metavar="LAYER", shell_complete=completing.layers)
@click.argument("key")
@click.option("--to-key", help="The key that the source has for it now.")
@click.option("--to-scope", metavar="SCOPE", help="The subject (or account) that it belongs to now.")
@_place
def move(context: click.Context, name: str, layer_name: str, key: str, to_key: str | None, to_scope: str | None,
         subject: str | None, account: str | None, wait_seconds: float, as_json: bool) -> None:
    """Say that a record's key, or its scope, is another now: the remote record stays the same."""
    if to_key is None and to_scope is None:
        raise ConfigurationError("expected --to-key or --to-scope, got neither: say where the record is now")
    with find_app(context) as app:
        surgery, scope = _surgery(app, name, layer_name, subject, account)
        [row] = surgery.find([key_of(surgery.layer, key)], scope)
        new = key_of(surgery.layer, to_key) if to_key is not None else row.key
        patiently(wait_seconds, lambda: surgery.move(row.scope, row.key, to_key=new, to_scope=to_scope))
        say(f"{layer_name} {row.key} of {row.scope} is {new} of {to_scope or row.scope} now; remote id"
            f" {row.remote_id or '-'}", as_json)


def _surgery(app: Penstock, name: str, layer_name: str, subject: str | None,
             account: str | None) -> tuple[Surgery, str | None]:
    """What changes the layer, and the scope that the options name, if they name one."""
    app.check()
    definition = app.definition(name)
    layer = layer_of(definition, layer_name)
    return Surgery(app.store, definition, layer), _scope(app, name, layer, subject, account)


def _scope(app: Penstock, name: str, layer: LayerDefinition, subject: str | None, account: str | None) -> str | None:
    if not layer.account_scoped:
        if account is not None:
            raise ConfigurationError(f"{layer.name}: expected --subject, since its scope is the subject, got --account")
        return subject
    return account if account is not None or subject is None else app.subject(name, subject).account


def patiently(seconds: float, change: Callable[[], None]) -> None:
    """Make a change; while a run is at work there, try again for so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return change()
        except RunAtWork:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN_SECONDS)


def _start(after: str | None) -> tuple[str, str, str] | None:
    if after is None:
        return None
    try:
        return msgspec.json.decode(after, type=tuple[str, str, str])
    except msgspec.DecodeError:
        raise ConfigurationError(f"--after: expected [layer, scope, key] as the last page said, got"
                                 f" {after!r}") from None


def _cursor(row: StateRow | None) -> tuple[str, str, str] | None:
    return None if row is None else (row.layer, row.scope, row.key)


def _print(rows: Iterator[StateRow]) -> StateRow | None:
    """A line for each, with tabs between; in columns on a terminal. The last row."""
    last = None
    aligned = sys.stdout.isatty()
    while some := list(itertools.islice(rows, _TOGETHER)):
        lines = [_cells(row) for row in some]
        headings = [_HEADINGS] if last is None else []
        click.echo(table(_HEADINGS, lines) if aligned else "\n".join("\t".join(line) for line in (*headings, *lines)))
        last = some[-1]
    if last is None:
        click.echo("no rows")
    return last


def _cells(row: StateRow) -> tuple[str, ...]:
    changed = datetime.fromtimestamp(row.changed_at / 1000, UTC).isoformat(" ", "seconds")
    error = " ".join(part for part in (row.error_class and f"{row.error_class}:", row.error) if part)
    return (row.layer, row.scope, spoken_key(row.key), row.status, row.remote_id or "-", changed,
            "by hand" if row.run_id is None else str(row.run_id), error or "-")


def _print_json(rows: Iterator[StateRow]) -> StateRow | None:
    """The beginning of one JSON object, written row by row; the last row."""
    last = None
    click.echo('{"rows":[', nl=False)
    for row in rows:
        click.echo(("," if last is not None else "") + msgspec.json.encode(row).decode(), nl=False)
        last = row
    return last
