"""A word about a name that may be mistyped, and may be right: other apps on the store have names as well."""

from collections.abc import Collection, Iterable

import click

from penstock.app import Penstock
from penstock.domain.names import did_you_mean

_SHOWN = 8


def note_task(app: Penstock, name: str | None) -> None:
    """About the name of a task."""
    _note("task", name, [each for each in app.tasks if not each.startswith("penstock.")])


def note_queues(app: Penstock, names: Iterable[str | None]) -> None:
    """About names of queues."""
    for name in names:
        _note("queue", name, app.slots())


def _note(kind: str, name: str | None, known: Collection[str]) -> None:
    if name is not None and name not in known:
        others = f"; it has {', '.join(sorted(known)[:_SHOWN])}{' …' if len(known) > _SHOWN else ''}" if known else ""
        click.echo(f"note: this app has no {kind} {name!r}{did_you_mean(name, known) or others}", err=True)
