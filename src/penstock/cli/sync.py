"""`penstock sync`: asks for runs and stays until they have settled."""

import sys
from pathlib import Path

import click
import msgspec

from penstock.app import SYNC_QUEUE, Penstock
from penstock.cli import completing
from penstock.cli.counting import console_on_stderr
from penstock.cli.documents import TIMES, json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.planned import LEFT, left, planned
from penstock.cli.progress import RunProgress
from penstock.domain.options import RunOptions
from penstock.domain.records import Subject
from penstock.sync.declaring.address import target_of
from penstock.sync.state.runs import RunRow

_SLOTS = 4


class Runs(msgspec.Struct):
    """What each run did."""

    runs: list[RunRow]


@click.command()
@click.argument("name", shell_complete=completing.syncs)
@click.option("--subject", "keys", multiple=True, help="Which subject; may be repeated. Without it: all of them.")
@click.option("--full", is_flag=True, help="Send every record again, whatever was sent before; delete nothing.")
@click.option("--only", "only", multiple=True, metavar="LAYER[:KEY]",
              help="Only a layer, or one record of it; may be repeated. What refers to it stays as it is.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), metavar="FILE",
              help="Only the changes that this plan names (`penstock plan --out FILE`), as they are there.")
@json_option(Runs, says=TIMES)
@click.pass_context
def sync(context: click.Context, name: str, keys: tuple[str, ...], full: bool, only: tuple[str, ...],
         plan_file: Path | None, as_json: bool) -> None:
    """Bring subjects up to date now, and show how it goes. Works with or without other workers.

    With --plan it exits with 3 where nothing failed, but something moved since the plan was made, or was withheld.
    """
    if plan_file is not None and (full or only):
        raise click.UsageError("--plan says exactly what is to be done: leave out --full and --only")
    with find_app(context) as app:
        app.check()
        definition = app.definition(name)
        if plan_file is not None:
            with planned(app, definition, plan_file, keys) as (subjects, options):
                runs = _served(app, name, subjects, options)
        else:
            options = RunOptions.of(full, [target_of(definition, text) for text in only])
            runs = _served(app, name, chosen(app, name, keys), options)
    report(runs, as_json)
    if not all(run.status == "succeeded" and not run.failed and not run.blocked for run in runs):
        sys.exit(1)
    sys.exit(LEFT if plan_file is not None and any(left(run) for run in runs) else 0)


def _served(app: Penstock, name: str, subjects: list[Subject], options: RunOptions) -> list[RunRow]:
    """Request runs, and serve them here until they have settled, beside whatever other workers there are."""
    request(app, name, subjects, reason=f"command line: {options}" if options.text else "command line",
            options=options)
    serving = app.worker({SYNC_QUEUE: _SLOTS})
    serving.start()
    try:
        return RunProgress(app.store, name, [subject.key for subject in subjects], console_on_stderr()).follow()
    except KeyboardInterrupt:
        click.echo(f"\nnote: what was sent is kept, and the runs are still asked for: a worker goes on with them, or"
                   f" another `penstock sync {name}`; `penstock runs {name}` lists them", err=True)
        raise
    finally:
        serving.stop()


def chosen(app: Penstock, name: str, keys: tuple[str, ...]) -> list[Subject]:
    """The subjects that the command line names, else all. Raises `UnknownSubject`, `ConfigurationError`."""
    definition = app.definition(name)
    return [app.subject(name, key) for key in keys] if keys else list(definition.sync.subjects())


def request(app: Penstock, name: str, subjects: list[Subject], reason: str,
            options: RunOptions | None = None) -> None:
    """Request a run of every subject, in one statement."""
    text = options.text if options is not None else ""
    app.request([{"sync": name, "subject": subject.key, "account": subject.account, "priority": 0, "reason": reason,
                  "options": text}
                 for subject in subjects])


def report(runs: list[RunRow], as_json: bool) -> None:
    """What each run did: a line each for people, or one JSON object."""
    if as_json:
        say_json(Runs(runs))
        return
    for run in runs:
        parts = [f"{getattr(run, name)} {name}"
                 for name in ("created", "updated", "deleted", "failed", "blocked", "withheld") if getattr(run, name)]
        click.echo(f"{run.subject}: {run.status}, {run.read} read, {', '.join(parts) or 'nothing to change'}"
                   + (f": {run.error}" if run.error else ""))
