"""`penstock jobs retry`, `cancel`, `discard` and `run-now`: on jobs by their ids, or on all that match a filter."""

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from penstock.app import Penstock
from penstock.cli.counting import counting
from penstock.cli.documents import json_option, say_json
from penstock.cli.ending import Refused, confirmed
from penstock.cli.exits import FAILED, WRONG
from penstock.cli.finding import find_app
from penstock.cli.jobs.asked import asked_filter, filters
from penstock.domain.listing import FITS, Act, Acted, JobFilter

_STEP_SECONDS = 1.0
_MOST_COUNTED = 100_000
_DONE: dict[Act, str] = {"retry": "retried", "cancel": "cancelled", "discard": "discarded", "run_now": "due now"}


class ActedOn(msgspec.Struct):
    """What became of an act on jobs."""

    changed: bool
    """Whether anything is other than before."""
    says: str
    """The line that people are shown."""
    act: str
    done: int
    asked: int
    """So many that run were asked to end."""
    refused: int
    """So many were not in a state for it (any more), or their unique key is another job's."""


def _acting(act: Act, says: str) -> click.Command:
    @click.command(act.replace("_", "-"), help=says)
    @click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
    @filters
    @click.option("--all-matching", is_flag=True, help="All jobs that match; without --yes it is asked first.")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @click.option("--reason", default="", help="Kept with the jobs." if act in ("cancel", "discard") else "", hidden=(
        act not in ("cancel", "discard")))
    @json_option(ActedOn)
    @click.pass_context
    def command(context: click.Context, /, ids: tuple[int, ...], all_matching: bool, yes: bool, reason: str,
                as_json: bool, **asked: Any) -> None:
        given = any(value is not None for value in asked.values())
        if bool(ids) == all_matching or (ids and given):
            raise click.UsageError("expected the IDs of jobs, or options that say which and --all-matching, got"
                                   f" {'both' if ids else 'neither'}")
        if all_matching and asked["state"] not in FITS[act]:
            raise click.UsageError(f"--all-matching: expected --state beside it, one of {', '.join(FITS[act])}, got"
                                   f" {asked['state'] or 'none'}")
        with find_app(context) as app:
            app.check()
            if ids:
                acted = app.act_on_ids(act, ids, reason)
            else:
                acted = _on_all(app, act, asked_filter(app, asked), reason, yes, as_json)
        _say(act, acted, as_json)
        if ids and acted.refused:
            refused = f"{_jobs(acted.refused)} refused it: they are not there, or in no state for it"
            raise Refused([f"{refused}: `penstock jobs show ID` says in which"], FAILED)

    return command


def _on_all(app: Penstock, act: Act, wanted: JobFilter, reason: str, yes: bool, as_json: bool) -> Acted:
    """Step by step, once it is clear that it is meant."""
    count = app.count_jobs(wanted, _MOST_COUNTED)
    if not yes:
        if not sys.stdin.isatty():
            raise Refused([f"--all-matching: expected --yes, since there is no terminal to ask on whether to"
                           f" {act.replace('_', ' ')} {count} jobs with {wanted}; nothing was done"], WRONG)
        confirmed(f"{act.replace('_', ' ')} {count} jobs with {wanted}?", yes)
    sums: dict[str, Any] = {"done": 0, "asked": 0, "refused": 0}
    after: str | None = None
    with counting(act.replace("_", " "), None if count.more else count.number) as tell:
        while True:
            acted = app.act_on_jobs(act, wanted, after, _STEP_SECONDS, reason)
            sums = {name: value + getattr(acted, name) for name, value in sums.items()}
            tell(sum(sums.values()))
            after = acted.after
            if after is None:
                return Acted(act, **sums)


def _say(act: Act, acted: Acted, as_json: bool) -> None:
    parts: Sequence[str] = [
        f"{_jobs(acted.done)} {'is' if acted.done == 1 else 'are'} {_DONE[act]}" if acted.done else "",
        f"{_jobs(acted.asked)} that {'runs is' if acted.asked == 1 else 'run are'} asked to end" if acted.asked else "",
        f"{_jobs(acted.refused)} refused" if acted.refused else "",
    ]
    says = ", ".join(part for part in parts if part) or "nothing to do: no job matches"
    if as_json:
        say_json(ActedOn(bool(acted.done or acted.asked), says, act, acted.done, acted.asked, acted.refused))
    else:
        click.echo(says)


def _jobs(count: int) -> str:
    return f"{count:,} job{'' if count == 1 else 's'}"


retry = _acting("retry", "Put jobs that have ended back, with all their attempts; let those to be retried be due now.")
cancel = _acting("cancel", "Cancel jobs: what waits ends at once, what runs is asked to.")
discard = _acting("discard", "Give jobs up that wait, or are to be retried; they are kept for inspection.")
run_now = _acting("run_now", "Let jobs be due now that are scheduled, or to be retried.")
