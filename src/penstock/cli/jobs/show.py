"""`penstock jobs show`: everything that is known of one job."""

from collections.abc import Iterator, Sequence

import click

from penstock.admission.why.answer import said
from penstock.cli.documents import TIMES, json_option, say_json
from penstock.cli.ending import Refused
from penstock.cli.exits import FAILED
from penstock.cli.finding import find_app
from penstock.cli.jobs.told import moment
from penstock.cli.table import table
from penstock.domain.listing import JobFound, Waited


@click.command()
@click.argument("job_id", metavar="ID", type=int)
@click.option("--reveal", is_flag=True, help="Arguments and result as they are, secrets included.")
@json_option(JobFound, says=TIMES)
@click.pass_context
def show(context: click.Context, job_id: int, reveal: bool, as_json: bool) -> None:
    """Show everything of one job: its states in time, attempts, error, progress, arguments, and whom it waits for."""
    with find_app(context) as app:
        app.check()
        found = app.job_found(job_id, reveal=reveal)
    if found is None:
        raise Refused([f"there is no job {job_id}: it was never enqueued, or it ended and was removed when its"
                       " retention was over"], FAILED)
    if as_json:
        say_json(found)
        return
    click.echo(f"job {found.id}: task {found.task} in queue {found.queue}, {found.state},"
               f" attempt {found.attempt} of {found.max_attempts}")
    lines = [(what, value) for what, value in _facts(found) if value]
    click.echo(table(("", ""), lines).lstrip("\n"))
    for each in found.timeline:
        click.echo(f"{moment(each.at)}  {each.what}")
    for failed in reversed(found.failures):
        click.echo(f"{moment(failed.at)}  attempt {failed.attempt} failed: {said(failed.error_class, failed.error)}")
    if found.error:
        click.echo(f"\n{found.error.rstrip()}")


def _facts(found: JobFound) -> Iterator[tuple[str, str]]:
    percent = "" if found.percent is None else f"{found.percent:g} % "
    yield "arguments", found.arguments
    yield "result", found.result or ""
    yield "worker", found.worker or ""
    yield "progress", f"{percent}{found.note or ''}".strip()
    yield "cursor", found.cursor or ""
    yield "tags", ", ".join(found.tags)
    yield "priority", str(found.priority) if found.priority else ""
    yield "unique key", found.unique_key or ""
    yield "line", ", ".join(each for each in (found.line, found.also) if each)
    yield "batch", "" if found.batch is None else str(found.batch)
    yield "waits for", _named(found.waits_for)
    yield "awaited by", _named(found.awaited_by)
    yield "workers lost", str(found.lost) if found.lost else ""
    yield "error", found.error_class or ""
    yield "why", f"`penstock why {found.id}` says why it waits" if found.finished_at is None else ""


def _named(others: Sequence[Waited]) -> str:
    return ", ".join(f"{each.kind} {each.id} ({each.state or 'gone'})" for each in others)
