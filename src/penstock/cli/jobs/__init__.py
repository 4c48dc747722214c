"""`penstock jobs`: which jobs there are, everything of one, and acts on one, on some and on all that match."""

from typing import Any

import click

from penstock.cli.commands import Group
from penstock.cli.documents import TIMES, json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.jobs.acts import cancel, discard, retry, run_now
from penstock.cli.jobs.asked import asked_filter, filters
from penstock.cli.jobs.show import show
from penstock.cli.jobs.told import moment, when
from penstock.cli.naming import note_queues, note_task
from penstock.cli.table import short, table
from penstock.domain.listing import JobListed, JobsPage

_HEADINGS = ("ID", "STATE", "TASK", "QUEUE", "ATTEMPT", "ENQUEUED", "WHEN", "ERROR")


@click.group(cls=Group, invoke_without_command=True)
@filters
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="At most so many.")
@click.option("--after", metavar="CURSOR", help="The next page, by the cursor that this one gave.")
@json_option(JobsPage, says=TIMES)
@click.pass_context
def jobs(context: click.Context, /, limit: int, after: str | None, as_json: bool, **asked: Any) -> None:
    """List jobs: the newest first, of a state that waits for its time the soonest first, of `executing` the longest.

    At most 5,000 jobs are looked at for a page, whatever is asked: --after goes on from there.
    """
    if context.invoked_subcommand is not None:
        return
    with find_app(context) as app:
        app.check()
        note_task(app, asked["task"])
        note_queues(app, [asked["queue"]])
        wanted = asked_filter(app, asked)
        page = app.jobs(**wanted.given, after=after, limit=limit)  # type: ignore[arg-type]
    if as_json:
        say_json(page)
        return
    if page.jobs:
        click.echo(table(_HEADINGS, map(_row, page.jobs)))
    elif page.after is None:
        click.echo("no jobs" if not wanted.given else f"no jobs with {wanted}")
    if page.cut_short:
        back = "" if page.back_to is None else f", to {moment(page.back_to)}"
        click.echo(f"looked at {page.looked_at:,} jobs{back}", err=True)
    if page.after is not None:
        click.echo(f"there may be more: --after {page.after}", err=True)


def _row(job: JobListed) -> tuple[str, ...]:
    percent = "" if job.percent is None else f" ({job.percent:g} %)"
    return (str(job.id), f"{job.state}{percent}", short(job.task, 40), job.queue, f"{job.attempt}/{job.max_attempts}",
            moment(job.enqueued_at), when(job), job.error_class or "-")


for _command in (show, retry, cancel, discard, run_now):
    jobs.add_command(_command)
