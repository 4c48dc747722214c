"""`penstock limits`: what is used of each limit, and the gates, which people may close and open here."""

import getpass
import os

import click
import msgspec

from penstock.cli.commands import Group
from penstock.cli.documents import TIMES, Said, json_option, say, say_json
from penstock.cli.finding import find_app
from penstock.cli.spans import span
from penstock.domain.lasting import lasting
from penstock.limits.telling import KeyState, Use


class Keys(msgspec.Struct):
    """Each key with its limits and its gate."""

    keys: list[KeyState]


@click.group(cls=Group, invoke_without_command=True)
@json_option(Keys, says=TIMES)
@click.pass_context
def limits(context: click.Context, as_json: bool) -> None:
    """List each key with its limits, what is used of them now, and its gate; or close and open gates."""
    if context.invoked_subcommand is not None:
        return
    with find_app(context) as app:
        app.check()
        found = app.limit_states()
    if as_json:
        say_json(Keys(found))
        return
    if not found:
        click.echo("nothing has been spent of any limit, and every gate is open")
    for each in found:
        click.echo(f"{each.key}  gate {_gate(each)}")
        for use in each.limits:
            click.echo(f"    {_use(use)}")


@limits.command("close")
@click.argument("key")
@click.option("--for", "lasting", metavar="TIME", help="For how long, such as 90s, 10m, 2h or 1d; else until `open`.")
@click.option("--reason", required=True, help="What those who wait are told.")
@json_option(Said)
@click.pass_context
def close(context: click.Context, key: str, lasting: str | None, reason: str, as_json: bool) -> None:
    """Let no call through under KEY. After its time one call is let through, to see whether it may open."""
    while_ = None if lasting is None else span(lasting, "--for")
    with find_app(context) as app:
        app.check()
        app.gate(key).close(reason, lasting=while_, by=_user())
    say(f"{key}: closed {f'for {lasting}' if lasting else 'until somebody opens it'} ({reason})", as_json)


@limits.command("open")
@click.argument("key")
@json_option(Said)
@click.pass_context
def open_(context: click.Context, key: str, as_json: bool) -> None:
    """Let calls through under KEY again."""
    with find_app(context) as app:
        app.check()
        opened = app.gate(key).open()
    say(f"{key}: {'open' if opened else 'it was open already'}", as_json, changed=opened)


def _gate(state: KeyState) -> str:
    if state.gate == "open":
        return "open"
    if state.gate == "probing":
        return f"probing: one call is let through ({state.gate_reason or 'no reason was given'})"
    until = "until somebody opens it" if state.gate_seconds is None else f"for {lasting(state.gate_seconds * 1e6)} more"
    return f"closed {until}: {state.gate_reason or 'no reason was given'} (by {state.gate_closed_by or 'nobody known'})"


def _use(use: Use) -> str:
    if use.ahead_seconds is None:
        return f"{use.limit}: {use.used:,} of {use.most:,} used" if use.most else use.limit
    if not use.ahead_seconds:
        return f"{use.limit}: nothing is given away ahead"
    pace = "" if use.pace is None else f", at a pace of {use.pace:,.1f} by now"
    return f"{use.limit}: given away for the next {lasting(use.ahead_seconds * 1e6)}{pace}"


def _user() -> str:
    """Who closes it, by the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # one without a name, as containers have them
