"""`penstock queues`: what waits in each queue, and what people have paused."""

from datetime import UTC, datetime

import click
import msgspec

from penstock.admission.pausing import Target
from penstock.cli.finding import find_app


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON; times are milliseconds since 1970, UTC.")
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
        shown = [{name: value for name, value in msgspec.to_builtins(each).items() if value is not None}
                 for each in paused]
        click.echo(msgspec.json.encode({"queues": found, "paused": shown}).decode())
        return
    for queue, states in sorted(found.items()):
        click.echo(f"{queue}: " + ", ".join(f"{jobs:,} {state}" for state, jobs in sorted(states.items())))
    if not found:
        click.echo("no jobs in any queue")
    for each in paused:
        since = datetime.fromtimestamp(each.paused_at / 1000, UTC).isoformat(" ", "seconds")
        click.echo(f"paused since {since}: {each.what}")


@queues.command()
@click.argument("queue", required=False)
@click.option("--sync", help="A sync, or with --account one account of it.")
@click.option("--account", help="An account of the sync.")
@click.option("--key", help="A key of tasks, as `penstock why` names it: serial:TASK:VALUE.")
@click.pass_context
def pause(context: click.Context, queue: str | None, sync: str | None, account: str | None, key: str | None) -> None:
    """Hold back a QUEUE, a sync, an account or a key until it is resumed. What runs goes on."""
    named = Target(queue, sync, account, key)
    with find_app(context) as app:
        app.check()
        changed = app.pause(queue, sync=sync, account=account, key=key)
    click.echo(f"{_words(named)} is paused" if changed else f"nothing to do: {_words(named)} was paused already")


@queues.command()
@click.argument("queue", required=False)
@click.option("--sync", help="A sync, or with --account one account of it.")
@click.option("--account", help="An account of the sync.")
@click.option("--key", help="A key of tasks, as `penstock why` names it: serial:TASK:VALUE.")
@click.pass_context
def resume(context: click.Context, queue: str | None, sync: str | None, account: str | None, key: str | None) -> None:
    """Let a QUEUE, a sync, an account or a key go on."""
    named = Target(queue, sync, account, key)
    with find_app(context) as app:
        app.check()
        changed = app.resume(queue, sync=sync, account=account, key=key)
    click.echo(f"{_words(named)} goes on" if changed else f"nothing to do: {_words(named)} was not paused")


def _words(named: Target) -> str:
    if named.queue is not None:
        return f"queue {named.queue}"
    if named.account is not None:
        return f"account {named.account} of sync {named.sync}"
    return f"key {named.key}" if named.sync is None else f"sync {named.sync}"
