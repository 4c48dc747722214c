"""`penstock queues`: what waits in each queue, and what people have paused."""

from datetime import UTC, datetime

import click
import msgspec

from penstock.admission.pausing import Target
from penstock.cli import completing
from penstock.cli.commands import Group
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.finding import find_app
from penstock.cli.naming import note_queues
from penstock.cli.table import table
from penstock.domain.lasting import lasting
from penstock.domain.listing import Backlog

_HEADINGS = ("QUEUE", "WAITING", "OLDEST", "RUNNING", "LATER", "COMPLETED", "DISCARDED", "STATE")


class Paused(msgspec.Struct, omit_defaults=True):
    """One pause: of a queue, a sync, an account of one, or a key."""

    paused_at: int
    queue: str | None = None
    sync: str | None = None
    account: str | None = None
    key: str | None = None


class Queues(msgspec.Struct):
    """Jobs by queue and state, and what is paused."""

    queues: dict[str, dict[str, int]]
    paused: list[Paused]


@click.group(cls=Group, invoke_without_command=True)
@json_option(Queues, says=TIMES)
@click.pass_context
def queues(context: click.Context, as_json: bool) -> None:
    """List the queues with what waits in them and since when, and what is paused: queues, syncs, accounts, keys.

    What waits is available or pending; what comes later is scheduled, or to be retried. OLDEST is for how long the
    first of what goes next has been due. --json has how many jobs are in which state.
    """
    if context.invoked_subcommand is not None:
        return
    with find_app(context) as app:
        app.check()
        found: dict[str, dict[str, int]] = {}
        for count in app.counts():
            states = found.setdefault(count.queue, {})
            states[count.state] = states.get(count.state, 0) + count.jobs
        paused = app.paused()
        waiting = {} if as_json else {each.queue: each for each in app.backlog()}
    if as_json:
        say_json(Queues(found, [Paused(each.paused_at, each.queue, each.sync, each.account, each.key)
                                for each in paused]))
        return
    if found:
        click.echo(table(_HEADINGS, (_row(name, states, waiting.get(name)) for name, states in sorted(found.items()))))
    else:
        click.echo("no jobs in any queue")
    for each in paused:
        since = datetime.fromtimestamp(each.paused_at / 1000, UTC).isoformat(" ", "seconds")
        click.echo(f"paused since {since}: {each.what}")


def _row(name: str, states: dict[str, int], waiting: Backlog | None) -> tuple[str, ...]:
    """States as the counters have them, which is what `--json` prints too."""
    def jobs(*which: str) -> str:
        return f"{sum(states.get(state, 0) for state in which):,}"

    age = waiting.age_ms if waiting is not None else None
    paused = waiting is not None and waiting.paused_at is not None
    return (name, jobs("available", "pending"), "-" if age is None else lasting(age * 1000), jobs("executing"),
            jobs("scheduled", "retryable"), jobs("completed"), jobs("discarded"), "paused" if paused else "on")


@queues.command()
@click.argument("queue", required=False, shell_complete=completing.queues)
@click.option("--sync", shell_complete=completing.syncs, help="A sync, or with --account one account of it.")
@click.option("--account", help="An account of the sync.")
@click.option("--key", help="A key of tasks, as `penstock why` names it: serial:TASK:VALUE.")
@json_option(Said)
@click.pass_context
def pause(context: click.Context, queue: str | None, sync: str | None, account: str | None, key: str | None,
          as_json: bool) -> None:
    """Hold back a QUEUE, a sync, an account or a key until it is resumed. What runs goes on."""
    named = Target(queue, sync, account, key)
    with find_app(context) as app:
        app.check()
        note_queues(app, [queue])
        changed = app.pause(queue, sync=sync, account=account, key=key)
    say(f"{_words(named)} is paused" if changed else f"nothing to do: {_words(named)} was paused already", as_json,
        changed=changed)


@queues.command()
@click.argument("queue", required=False, shell_complete=completing.queues)
@click.option("--sync", shell_complete=completing.syncs, help="A sync, or with --account one account of it.")
@click.option("--account", help="An account of the sync.")
@click.option("--key", help="A key of tasks, as `penstock why` names it: serial:TASK:VALUE.")
@json_option(Said)
@click.pass_context
def resume(context: click.Context, queue: str | None, sync: str | None, account: str | None, key: str | None,
           as_json: bool) -> None:
    """Let a QUEUE, a sync, an account or a key go on."""
    named = Target(queue, sync, account, key)
    with find_app(context) as app:
        app.check()
        note_queues(app, [queue])
        changed = app.resume(queue, sync=sync, account=account, key=key)
    say(f"{_words(named)} goes on" if changed else f"nothing to do: {_words(named)} was not paused", as_json,
        changed=changed)


def _words(named: Target) -> str:
    if named.queue is not None:
        return f"queue {named.queue}"
    if named.account is not None:
        return f"account {named.account} of sync {named.sync}"
    return f"key {named.key}" if named.sync is None else f"sync {named.sync}"
