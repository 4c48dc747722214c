"""`penstock top`: queues, jobs under way, workers and limits, live; one frame where there is no terminal."""

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn, get_args

import click

from penstock.app import Penstock
from penstock.cli.choice import Choice
from penstock.cli.documents import TIMES, json_option, say_json
from penstock.cli.finding import find_app
from penstock.cli.top.seen import ORDERS, Order, Top, look


@click.command()
@click.option("--sort", "order", type=Choice(get_args(Order)), default="waiting", show_default=True,
              help="What the queues are sorted by, to begin with.")
@click.option("--every", type=click.FloatRange(0.5, 3600), default=2.0, show_default=True, metavar="SECONDS",
              help="How often it looks.")
@click.option("--once", is_flag=True, help="Print one frame as plain lines, as it does where there is no terminal.")
@json_option(Top, says=TIMES)
@click.pass_context
def top(context: click.Context, order: Order, every: float, once: bool, as_json: bool) -> None:
    """Show live what waits, what runs and for how long, the workers, and limits near their edge.

    Keys: `q` quits, space holds the display and goes on, `s` sorts the queues by something else.
    """
    from penstock.cli.top.drawing import plain  # it needs Rich, which programs that ask for JSON do not

    with find_app(context) as app:
        app.check()
        if as_json:
            say_json(look(app))
        elif once or not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
            click.echo(plain(look(app), order))
        else:
            _live(app, order, every, context.color)


def _live(app: Penstock, order: Order, every: float, color: bool | None) -> None:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from penstock.cli.top.drawing import frame
    from penstock.cli.top.keys import Keys

    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _ended)  # or the terminal would stay as it is now
    console = Console(no_color=color is False, highlight=False)
    seen, paused = look(app), False

    def drawn() -> RenderableType:
        return frame(seen, order, paused=paused, height=console.height, width=console.width)

    with (suppress(KeyboardInterrupt), Keys() as keys,
          Live(drawn(), console=console, screen=True, auto_refresh=False) as live):
        due = time.monotonic() + every
        while (key := keys.pressed(every if paused else due - time.monotonic())) != "q":
            if key == " ":
                paused = not paused
            elif key == "s":
                order = ORDERS[(ORDERS.index(order) + 1) % len(ORDERS)]
            if not paused and time.monotonic() >= due:
                seen, due = look(app), time.monotonic() + every
            live.update(drawn(), refresh=True)


def _ended(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
