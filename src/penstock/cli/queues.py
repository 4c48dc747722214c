"""`penstock queues`: what waits in each queue, and what people have paused."""

from datetime import UTC, datetime

import click
import msgspec

from penstock.admission.pausing import Target
from penstock.cli import completing
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.finding import find_app
from penstock.cli.naming import note_queues


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


@click.group(invoke_without_command=True)
@json_option(Queues, says=TIMES)
@click.pass_context
def queues(context: click.Context, as_json: bool) -> None:
    """List the queues with how many jobs are in which state, and what is paused: queues, syncs, accounts, keys."""
    if context.invoked_subcommand is not None:
        return
    with find_app(context) as app:
        app.check()
        found: dict[str, dict[str, int]] = {}
        for count in app.counts():
            states = found.setdefault(count.queue, {})
            states[count.state] = states.get(count.state, 0) + count.jobs
        paused = app.paused()
    if as_json:
        say_json(Queues(found, [Paused(each.paused_at, each.queue, each.sync, each.account, each.key)
                                for each in paused]))
        return
    for queue, states in sorted(found.items()):
        click.echo(f"{queue}: " + ", ".join(f"{jobs:,} {state}" for state, jobs in sorted(states.items())))
    if not found:
        click.echo("no jobs in any queue")
    for each in paused:
        since = datetime.fromtimestamp(each.paused_at / 1000, UTC).isoformat(" ", "seconds")
        click.echo(f"paused since {since}: {each.what}")


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
