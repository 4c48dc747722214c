"""Names of the app's tasks, syncs, queues and periodic tasks, for a shell that completes a command.

The app is imported for that, in at most the time that somebody who pressed Tab waits; whatever fails, nothing is said,
since it would be said into the line that is being typed.
"""

import io
import threading
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from penstock.app import Penstock

_PATIENCE_SECONDS = 3.0

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def syncs(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of syncs."""
    return _named(context, begun, lambda app: app.syncs)


def tasks(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of tasks."""
    return _named(context, begun, _tasks)


def work(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of tasks and of syncs: of all that is traced."""
    return _named(context, begun, lambda app: [*_tasks(app), *app.syncs])


def queues(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of the queues that tasks and syncs go to."""
    return _named(context, begun, lambda app: app.slots())


def periodics(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of periodic tasks."""
    return _named(context, begun, lambda app: app.periodics)


def layers(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The names of the layers of the sync that was named before; of all, where an option comes before that is known."""
    sync = context.params.get("name")
    return _named(context, begun, lambda app: {layer.name for name in ([sync] if sync else app.syncs)
                                               for layer in app.definition(name).layers})


def _tasks(app: "Penstock") -> list[str]:
    return [name for name in app.tasks if not name.startswith("penstock.")]


def _named(context: click.Context, begun: str, names: Callable[["Penstock"], Iterable[str]]) -> list[str]:
    found: list[str] = []

    def look() -> None:
        from penstock.cli.finding import find_app

        # Whatever an app's module does when it is imported, down to leaving the program, must not show.
        with suppress(BaseException), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            root = context.find_root()
            root.obj = root.params.get("app")
            found.extend(name for name in names(find_app(context)) if name.startswith(begun))

    looking = threading.Thread(target=look, name="completion", daemon=True)
    looking.start()
    looking.join(_PATIENCE_SECONDS)
    return sorted(found) if not looking.is_alive() else []
