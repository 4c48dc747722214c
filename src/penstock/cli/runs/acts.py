"""`penstock runs cancel` and `raise`: what is done to runs by their numbers."""

import click
import msgspec

from penstock.cli.documents import Said, json_option, say, say_json
from penstock.cli.ending import Refused
from penstock.cli.exits import FAILED
from penstock.cli.finding import find_app

_LEAST, _MOST = -(2**31) + 1, 2**31 - 1


class RunsCancelled(msgspec.Struct):
    """What became of runs that were to be cancelled."""

    changed: bool
    """Whether anything is other than before."""
    says: str
    """The line that people are shown."""
    cancelled: list[int]
    """These waited, and ended."""
    asked: list[int]
    """These are served, and end where they may stop next."""
    refused: list[int]
    """These have ended, were asked already, or are not there."""


@click.command()
@click.argument("ids", metavar="RUN...", type=int, nargs=-1, required=True)
@click.option("--reason", default="by hand", show_default=True, help="Kept with the runs.")
@json_option(RunsCancelled)
@click.pass_context
def cancel(context: click.Context, ids: tuple[int, ...], reason: str, as_json: bool) -> None:
    """Call runs off: one that waits ends at once, one that is served where it may stop next.

    What a run has sent stays sent, and requests that came since make the next run. Ends with 1 where one refused it.
    """
    found: dict[str | None, list[int]] = {"cancelled": [], "asked": [], None: []}
    with find_app(context) as app:
        app.check()
        for id in dict.fromkeys(ids):
            found[app.cancel_run(id, reason)].append(id)
    cancelled, asked, refused = found["cancelled"], found["asked"], found[None]
    parts = [f"{_runs(cancelled)} {_are(cancelled)} cancelled" if cancelled else "",
             f"{_runs(asked)} {_are(asked)} asked to end" if asked else "",
             f"{_runs(refused)} refused it" if refused else ""]
    says = ", ".join(part for part in parts if part)
    if as_json:
        say_json(RunsCancelled(bool(cancelled or asked), says, cancelled, asked, refused))
    else:
        click.echo(says)
    if refused:
        raise Refused([f"{_runs(refused)} refused it: ended, asked already, or not there; `penstock runs` lists them"],
                      FAILED)


@click.command("raise")
@click.argument("id", metavar="RUN", type=int)
@click.option("--priority", required=True, metavar="N", type=click.IntRange(_LEAST, _MOST),
              help="At least so much; a higher one goes first.")
@click.option("--reason", default="by hand", show_default=True, help="Kept with the run.")
@json_option(Said)
@click.pass_context
def raise_(context: click.Context, id: int, priority: int, reason: str, as_json: bool) -> None:
    """Have a run that waits go with at least this priority, from when a dispatcher has seen it.

    Ends with 1 where it does not wait: it is served, has ended, or is not there.
    """
    with find_app(context) as app:
        app.check()
        raised = app.raise_run(id, priority, reason)
        told = None if raised else app.run(id)
    if not raised:
        stands = "is not there" if told is None else f"does not wait: it is {told.run.status}"
        raise Refused([f"run {id} {stands}; `penstock runs --status pending` lists those that wait"], FAILED)
    say(f"run {id} goes with a priority of {priority} or more", as_json)


def _runs(ids: list[int]) -> str:
    return f"run{'' if len(ids) == 1 else 's'} {', '.join(map(str, ids))}"


def _are(ids: list[int]) -> str:
    return "is" if len(ids) == 1 else "are"
