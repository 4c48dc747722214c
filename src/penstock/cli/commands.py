"""What commands there are, grouped by what people want to do: each is imported when it is asked for, and not before.

What a list says of each stands here, since one that had to import them all would take a second.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from penstock.cli.ending import Refused, ended
from penstock.cli.exits import FAILED, WRONG


class Listed(NamedTuple):
    """A command: the module in this package that has it under its name, and what `penstock --help` says of it."""

    module: str
    says: str


GROUPS: dict[str, dict[str, Listed]] = {
    "Begin": {
        "init": Listed("init", "Write a working app.py to start from."),
        "demo": Listed("demo", "Synchronise a directory of people into a real SCIM server."),
        "migrate": Listed("migrate", "Bring the store's tables up to date."),
        "doctor": Listed("doctor", "Check the store, its settings and what is around it."),
        "config": Listed("config", "Show each setting, and where it came from."),
        "completion": Listed("completion", "Have the shell complete commands and names."),
    },
    "Run": {
        "dev": Listed("dev", "Run worker and dashboard, again when a file changes."),
        "worker": Listed("worker", "Run jobs and syncs."),
        "web": Listed("web", "Serve the dashboard, a JSON API and metrics."),
    },
    "Jobs": {
        "jobs": Listed("jobs", "List jobs; show, retry, cancel, discard or run them now."),
        "enqueue": Listed("enqueue", "Enqueue a task with arguments, or one job for each line."),
        "invalidate": Listed("invalidate", "Make all jobs of a tag pointless, by one row."),
        "queues": Listed("queues", "List what waits in each queue; pause and resume."),
        "periodic": Listed("periodic", "List the periodic tasks; pause and resume them."),
        "prune": Listed("prune", "Remove now what is past its retention."),
    },
    "Syncs": {
        "sync": Listed("sync", "Bring subjects up to date now."),
        "plan": Listed("plan", "Show what would be sent, and what that would cost."),
        "approve": Listed("approve", "Decide on deletes that were withheld."),
        "audit": Listed("audit", "Read the destination back."),
        "runs": Listed("runs", "List runs, how long they take; cancel, raise."),
        "failed": Listed("failed", "List what is wrong with records."),
        "retry": Listed("failed", "Let records that failed go again."),
        "state": Listed("state", "Look at what is remembered of records; put it right."),
    },
    "Understand": {
        "why": Listed("why", "Why it waits, why it is slow, why it was sent or not."),
        "traces": Listed("traces", "List what takes the time, the worst first."),
        "advise": Listed("advise", "Say what would make work faster."),
        "top": Listed("top", "Show live what waits and what runs, like htop."),
        "limits": Listed("limits", "List limits and gates; close and open gates."),
    },
}

_WHOLE = 1_000
"""Characters of a sentence, which is more than any has."""
LISTED = {name: listed for group in GROUPS.values() for name, listed in group.items()}


class Commands(click.Group):
    """Imports a command when it is asked for, and turns Penstock's errors into a message and an exit code."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(LISTED)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return imported(name) if name in LISTED else None

    def resolve_command(self, context: click.Context, arguments: list[str]
                        ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if name not in LISTED and not name.startswith("-") and not context.resilient_parsing:
            near = get_close_matches(name, LISTED)
            hint = {0: " `penstock --help` lists them.", 1: f" Did you mean {near[0]!r}?" if near else ""}.get(
                len(near), f" Did you mean one of {', '.join(map(repr, near))}?")
            raise click.UsageError(f"No such command {name!r}.{hint}", context)
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, LISTED))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), listed.says) for name, listed in group.items()])

    def shell_complete(self, context: click.Context, begun: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=listed.says) for name, listed in LISTED.items() if name.startswith(begun)]
        return [*found, *click.Command.shell_complete(self, context, begun)]

    def main(self, *given: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command, which ends the program with an exit code unless it is no `standalone_mode`."""
        command = partial(click.Group.main, self, *given, standalone_mode=False, **extra)
        return ended(command) if standalone_mode else command()

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """`--app` and `--no-color` may stand anywhere: they are about every command."""
        return super().parse_args(context, _forward(arguments, context))

    def invoke(self, context: click.Context) -> object:
        from penstock.domain.errors import ConfigurationError, PenstockError

        try:
            return super().invoke(context)
        except ConfigurationError as error:
            raise Refused(list(error.faults), WRONG) from error
        except PenstockError as error:
            raise Refused([str(error)], FAILED) from error


class Group(click.Group):
    """A command with commands below it, which says of each what there is to say, and does not break off."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        below = [(name, self.commands[name].get_short_help_str(_WHOLE)) for name in self.list_commands(context)]
        with formatter.section("Commands"):
            formatter.write_dl(below)


def _forward(arguments: Sequence[str], context: click.Context) -> list[str]:
    """The arguments with those options first that belong to `penstock` itself. What follows `--` is no option."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    first, others = [], []
    own = iter(arguments[:end])
    for each in own:
        if each == "--no-color" or each.startswith("--app="):
            first.append(each)
        elif each == "--app":
            named = [*islice(own, 1)]
            if not named and not context.resilient_parsing:
                raise click.BadOptionUsage("--app", "Option '--app' requires an argument: MODULE:APP.", context)
            first += [each, *named]
        else:
            others.append(each)
    return [*first, *others, *arguments[end:]]


def imported(name: str) -> click.Command:
    """A command that is listed."""
    command: click.Command = getattr(import_module(f"penstock.cli.{LISTED[name].module}"), name)
    return command
