"""`penstock enqueue`: a task with arguments as JSON, or one job for each line of stdin."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import click
import msgspec

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.counting import Told, counting
from penstock.cli.documents import json_option, say_json
from penstock.cli.ending import Refused
from penstock.cli.exits import FAILED, WRONG
from penstock.cli.finding import find_app
from penstock.cli.jobs.asked import at
from penstock.cli.spans import span
from penstock.domain.errors import ConfigurationError, InvalidArguments
from penstock.domain.jobs import Call
from penstock.domain.names import did_you_mean
from penstock.domain.unique import Unique
from penstock.queue.task import Launch

_TOGETHER = 1_000
_SHOWN = 120


class Enqueued(msgspec.Struct, omit_defaults=True):
    """What was enqueued: `skipped` of them met a job with their unique key, which is there instead."""

    task: str
    enqueued: int
    skipped: int = 0
    replaced: int = 0
    job_id: int | None = None
    """The one job, where it is one."""


@click.command()
@click.argument("task", shell_complete=completing.tasks)
@click.argument("arguments", default="{}", required=False)
@click.option("--queue", shell_complete=completing.queues, help="In another queue than its task says.")
@click.option("--priority", type=int, help="A higher one goes first; a point is worth a minute of waiting.")
@click.option("--in", "delay", metavar="TIME", help="Due after this time: 90s, 10m, 2h, 1d.")
@click.option("--at", "moment", metavar="TIME", help="Due at this moment: 2027-01-31T08:00, UTC unless it says.")
@click.option("--deadline", metavar="TIME", help="Not to be run any more after this time.")
@click.option("--tag", "tags", multiple=True, help="What `penstock invalidate` knows it by; may be repeated.")
@click.option("--unique", is_flag=True, help="Skipped where a job of the task with the same arguments is live.")
@json_option(Enqueued)
@click.pass_context
def enqueue(context: click.Context, task: str, arguments: str, queue: str | None, priority: int | None,
            delay: str | None, moment: str | None, deadline: str | None, tags: tuple[str, ...], unique: bool,
            as_json: bool) -> None:
    """Enqueue TASK with ARGUMENTS, a JSON object of them by name, or an array in their order.

    With - for ARGUMENTS, each line of stdin is that of one job. They are checked by the task's signature.
    """
    if delay is not None and moment is not None:
        raise click.UsageError("expected --in or --at, got both")
    with find_app(context) as app:
        app.check()
        launch = _launch(app, task, queue=queue, priority=priority, tags=tags, unique=Unique() if unique else None,
                         run_after=_when(delay, moment), deadline=span(deadline, "--deadline") if deadline else None)
        if arguments == "-":
            found = _each_line(app, task, launch, sys.stdin)
        else:
            found = _one(app, task, launch, arguments)
    if as_json:
        say_json(found)
    else:
        click.echo(_said(found))


def _when(delay: str | None, moment: str | None) -> timedelta | datetime | None:
    if delay is not None:
        return span(delay, "--in")
    return None if moment is None else at(moment, "--at")


def _launch(app: Penstock, task: str, **options: Any) -> Launch[Any]:
    if task not in app.tasks:
        raise ConfigurationError(f"this app declares no task {task!r}{did_you_mean(task, app.tasks)}")
    try:
        return app.tasks[task].using(**options)
    except InvalidArguments as error:
        raise Refused([str(error)], WRONG) from None


def _one(app: Penstock, task: str, launch: Launch[Any], text: str) -> Enqueued:
    try:
        call = _call(launch, text)
    except InvalidArguments as error:
        raise Refused([f"{error}; nothing was enqueued"], WRONG) from None
    (job,) = app.enqueue_many([call])
    return Enqueued(task, int(not job.skipped), int(job.skipped), int(job.replaced), job.id)


def _each_line(app: Penstock, task: str, launch: Launch[Any], lines: Iterable[str]) -> Enqueued:
    """A thousand lines at a time, each checked before any of them is enqueued."""
    found = Enqueued(task, 0)
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    with _quiet() if sys.stdin.isatty() else counting("enqueued") as tell:  # no bar is drawn over what is typed
        while some := list(islice(numbered, _TOGETHER)):
            jobs = app.enqueue_many(list(_calls(launch, some, found.enqueued)))
            found.enqueued += sum(not job.skipped for job in jobs)
            found.skipped += sum(job.skipped for job in jobs)
            found.replaced += sum(job.replaced for job in jobs)
            tell(found.enqueued + found.skipped)
    return found


def _quiet() -> AbstractContextManager[Told]:
    click.echo("the arguments of one job a line, as JSON; Ctrl-D ends them, Ctrl-C enqueues none of the last"
               f" {_TOGETHER:,}", err=True)
    return nullcontext(lambda done: None)


def _calls(launch: Launch[Any], lines: Sequence[tuple[int, str]], before: int) -> Iterator[Call]:
    for number, line in lines:
        try:
            yield _call(launch, line)
        except InvalidArguments as error:
            done = f"{before:,} jobs of lines before line {lines[0][0]:,} are enqueued, and nothing from there on"
            raise Refused([f"line {number:,}: {error}", done if before else "nothing was enqueued"], FAILED) from None


def _call(launch: Launch[Any], text: str) -> Call:
    """Raises `InvalidArguments`."""
    try:
        given = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidArguments(f"expected arguments as JSON, such as '{{\"id\": 7}}', got {_short(text)} ({error})"
                               ) from None
    if isinstance(given, dict):
        return launch.call(**given)
    if isinstance(given, list):
        return launch.call(*given)
    raise InvalidArguments(f"expected a JSON object of arguments by name, or an array of them, got {_short(text)}")


def _short(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _said(found: Enqueued) -> str:
    if found.job_id is not None:
        became = ("is there already, with the same unique key" if found.skipped
                  else "was there already, and is this now" if found.replaced else "is enqueued")
        return f"job {found.job_id} of task {found.task} {became}"
    skipped = f", {found.skipped:,} were there already, with the same unique keys" if found.skipped else ""
    jobs = "1 job" if found.enqueued == 1 else f"{found.enqueued:,} jobs"
    return f"{jobs} of task {found.task} {'is' if found.enqueued == 1 else 'are'} enqueued{skipped}"
