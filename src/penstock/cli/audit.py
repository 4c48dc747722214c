"""`penstock audit`: what the destination holds now, beside what it was sent; and putting right what is wrong."""

import sys
from typing import Any

import click
import msgspec

from penstock.app import SYNC_QUEUE
from penstock.cli import completing
from penstock.cli.counting import console_on_stderr
from penstock.cli.documents import TIMES, json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.progress import RunProgress
from penstock.cli.sync import chosen, request
from penstock.domain.errors import ConfigurationError
from penstock.domain.options import Audit, RunOptions
from penstock.sync.destination.seen import can_tell
from penstock.sync.state.findings import VERDICTS, Audited, audited
from penstock.sync.state.runs import RunRow

_SLOTS = 4
_SIGNS = {"drifted": "~", "missing": "-", "unmanaged": "?", "source_changed": ">", "rewritten": "="}
_WORDS = {"in_step": "in step", "source_changed": "changed in the source", "rewritten": "rewritten by the destination",
          "untold": "that cannot be told"}


class Found(msgspec.Struct):
    """The runs that audited, and what is known of each layer by subject."""

    sync: str
    runs: list[RunRow]
    subjects: dict[str, list[Audited]]


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@click.option("--repair", is_flag=True, help="Send again what drifted, and create again what is missing.")
@click.option("--force", is_flag=True, help="With --repair: create again what is missing, be it all there was.")
@click.option("--calls", type=click.IntRange(1), default=1000, show_default=True,
              help="About so many calls for each subject; the next audit goes on from there.")
@json_option(Found, says=TIMES)
@click.pass_context
def audit(context: click.Context, name: str, keys: tuple[str, ...], repair: bool, force: bool, calls: int,
          as_json: bool) -> None:
    """Read the destination back, and say what is not there as it was sent. Changes nothing without --repair.

    Exit code 2: something drifted or is missing, and was not sent again; 1: a run failed.
    """
    if force and not repair:
        raise click.UsageError("--force: say it with --repair")
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        if not any(can_tell(layer) for layer in definition.layers):
            raise ConfigurationError(f"no layer of {name} can be read back: expected one with fetch(remote_ids, run) or"
                                     " read(run), of its own or of its destination")
        options = RunOptions.of(audit=Audit(calls, repair, force))
        subjects = chosen(app, name, keys)
        request(app, name, subjects, reason=f"command line: {options}", options=options)
        serving = app.worker({SYNC_QUEUE: _SLOTS})
        serving.start()
        try:
            runs = RunProgress(app.store, name, [subject.key for subject in subjects], console_on_stderr()).follow()
        finally:
            serving.stop()
        found = {subject.key: audited(app.store, definition, subject) for subject in subjects}
    failed = [run for run in runs if run.status != "succeeded" or run.failed]
    if as_json:
        say_json(Found(name, runs, found))
    else:
        for key, layers in found.items():
            _print(key, layers)
        for run in runs:
            if run.error:
                click.echo(f"{run.subject}: {run.status}: {run.error}")
    wrong = any(layer.findings is not None and layer.findings.wrong > 0 for layers in found.values()
                for layer in layers)
    sys.exit(1 if any(run.status != "succeeded" for run in runs) else 2 if wrong or failed else 0)


def _print(subject: str, layers: list[Audited]) -> None:
    click.echo(f"{subject}:")
    for layer in layers:
        found = layer.findings
        if found is None:
            click.echo(f"  {layer.layer}: it cannot be read back, or was not yet")
            continue
        parts = [f"{found.counts[verdict]:,} {_WORDS.get(verdict, verdict)}" for verdict in VERDICTS
                 if found.counts.get(verdict)]
        sent = f"; {found.repaired:,} sent again" if found.repaired else ""
        click.echo(f"  {layer.layer}: {', '.join(parts) or 'nothing there'}{sent}")
        for verdict, sign in _SIGNS.items():
            first: list[Any] = found.first.get(verdict, [])
            for key, names in first:
                click.echo(f"    {sign} {key}" + (f" ({', '.join(names)})" if names else ""))
            if found.counts.get(verdict, 0) > len(first):
                click.echo(f"    {sign} … and {found.counts[verdict] - len(first):,} more")
        if layer.begun_at is not None:
            click.echo("    the calls were used up; the next audit goes on from here")
