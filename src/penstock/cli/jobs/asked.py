"""Which jobs: the options that several commands have, and the filter that they come to."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from penstock.app import Penstock
from penstock.cli import completing
from penstock.cli.choice import Choice
from penstock.cli.spans import span
from penstock.domain.jobs import JobState
from penstock.domain.listing import JobFilter

Command = TypeVar("Command", bound=Callable[..., Any])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = "TIME"


def filters(command: Command) -> Command:
    """The options that say which jobs."""
    for option in (
        click.option("--until", metavar=_TIME, help="Enqueued before then; as --since."),
        click.option("--since", metavar=_TIME, help="Enqueued in this time (90s, 10m, 2h, 1d), or since a moment"
                                                    " (2027-01-31T08:00, UTC unless it says otherwise)."),
        click.option("--batch", type=click.IntRange(0, 2**62), metavar="NUMBER", help="Of this batch."),
        click.option("--error-class", metavar="CLASS", help="With this class of error, as ValueError."),
        click.option("--tag", help="With this tag."),
        click.option("--queue", shell_complete=completing.queues, help="In this queue."),
        click.option("--task", shell_complete=completing.tasks, help="Of this task."),
        click.option("--state", type=Choice([str(state) for state in JobState]), help="In this state."),
    ):
        command = option(command)
    return command


def asked_filter(app: Penstock, asked: Mapping[str, Any]) -> JobFilter:
    """The filter that the options come to. Raises `UsageError`."""
    return JobFilter(asked["state"], asked["task"], asked["queue"], asked["tag"], asked["error_class"],
                     _moment(app, asked["since"], "--since"), _moment(app, asked["until"], "--until"), asked["batch"])


def at(text: str, option: str) -> datetime:
    """A moment as people type it. Raises `UsageError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option}: expected a moment such as 2027-01-31T08:00, got {text!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _moment(app: Penstock, text: str | None, option: str) -> int | None:
    if text is None:
        return None
    if text[-1:] in "smhd":
        return app.now_ms() - span(text, option) // timedelta(milliseconds=1)
    return (at(text, option) - _EPOCH) // timedelta(milliseconds=1)
