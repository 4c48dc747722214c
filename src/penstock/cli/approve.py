"""`penstock approve`: the deletes that runs withheld, and what a person decides of them."""

import getpass
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
import msgspec

from penstock.cli import completing
from penstock.cli.documents import TIMES, json_option, say_json
from penstock.cli.finding import find_app
from penstock.domain.keys import spoken_key
from penstock.sync.deleting.approvals import Approval

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Open(msgspec.Struct):
    """The deletes of a sync that were withheld."""

    sync: str
    approvals: list[Approval]


class Decided(msgspec.Struct):
    """What was decided on."""

    sync: str
    decided: list[Approval]


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--id", "ids", type=int, multiple=True, metavar="N", help="Decide on this one; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Decide on all that are asked about.")
@click.option("--subject", "subjects", multiple=True, help="Decide on those that runs of this subject asked about.")
@click.option("--layer", "layers", multiple=True, shell_complete=completing.layers,
              help="Decide on those of this layer.")
@click.option("--refuse", is_flag=True, help="Keep the records, and ask no more about them for a while.")
@json_option(Open, Decided, says=TIMES)
@click.pass_context
def approve(context: click.Context, name: str, ids: tuple[int, ...], everything: bool, subjects: tuple[str, ...],
            layers: tuple[str, ...], refuse: bool, as_json: bool) -> None:
    """List the deletes that were withheld; with --id, --subject, --layer or --all let the next run carry them out."""
    deciding = bool(ids or everything or subjects or layers)
    if refuse and not deciding:
        raise click.UsageError("--refuse: say what, with --id N, --subject, --layer or --all")
    if everything and (ids or subjects or layers):
        raise click.UsageError("--all is for everything: leave out --id, --subject and --layer")
    if ids and (subjects or layers):
        raise click.UsageError("--id says exactly which: leave out --subject and --layer")
    with find_app(context) as app:
        app.check()
        found = app.approvals(name)
        if deciding:
            wanted = ids or [each.id for each in found if each.status == "asked"
                             and (not subjects or each.subject in subjects) and (not layers or each.layer in layers)]
            found = app.approve(name, *wanted, by=_user(), refuse=refuse)
    if as_json:
        say_json(Decided(name, found) if deciding else Open(name, found))
    elif deciding:
        _say(name, found, refuse)
    else:
        _list(name, found)


def _user() -> str:
    """Who decides, by the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # one without a name, as containers have them


def _say(name: str, decided: Sequence[Approval], refuse: bool) -> None:
    if not decided:
        click.echo(f"nothing to do: no open question of {name} is among those")
    for each in decided:
        what = f"{each.id}: {each.records:,} deletes of {each.layer} ({each.subject})"
        until = _time(each.expires_at)
        click.echo(f"{what} refused: kept, and not asked about again before {until}" if refuse else
                   f"{what} approved: the next run deletes those that are still absent, if it begins before {until}")


def _list(name: str, found: Sequence[Approval]) -> None:
    if not found:
        click.echo(f"nothing is withheld of {name}")
    for each in found:
        click.echo(f"{each.id}  {each.layer} of {each.subject} (account {each.account}): {each.records:,} deletes"
                   f" {'withheld' if each.status == 'asked' else each.status}")
        click.echo(f"    why: {each.reason}")
        more = each.records - len(each.first)
        click.echo(f"    keys: {', '.join(map(spoken_key, each.first))}{f' and {more:,} more' if more > 0 else ''}")
        click.echo(f"    asked {_time(each.asked_at)}, expires {_time(each.expires_at)}")
        if each.decided_at is not None:
            click.echo(f"    {each.status} by {each.decided_by} {_time(each.decided_at)}")
    if any(each.status == "asked" for each in found):
        click.echo(f"decide with `penstock approve {name} --id N` (or --subject, --layer, --all; --refuse keeps them)")


def _time(at: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(" ", "minutes")
