"""Pausing: what people hold back by hand. What runs goes on, requests are still folded, and jobs may still be enqueued.

A pause is a row that names a queue, a sync, an account of a sync or a key. News of the line that it is about has the
dispatcher look at that line again; nobody but the dispatcher writes lines.
"""

from dataclasses import dataclass

import msgspec

from penstock.admission.runs import line_of
from penstock.domain.errors import ConfigurationError
from penstock.queue import control
from penstock.store.port import Store, Transaction

_KEYS = ("serial:", "concurrency:", "limit:")


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause: of a queue, a sync, an account of one, or a key. `paused_at` is in milliseconds since 1970, UTC."""

    paused_at: int
    queue: str | None = None
    sync: str | None = None
    account: str | None = None
    key: str | None = None

    @property
    def what(self) -> str:
        """What is paused, in words."""
        if self.queue is not None:
            return f"queue {self.queue}"
        if self.account is not None:
            return f"account {self.account} of sync {self.sync}"
        return f"key {self.key}" if self.sync is None else f"sync {self.sync}"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be paused or resumed. Raises `ConfigurationError` unless it names exactly one thing."""

    queue: str | None = None
    sync: str | None = None
    account: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("queue", "sync", "key") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ConfigurationError(f"expected exactly one of queue, sync and key, got {got}")
        if self.account is not None and self.sync is None:
            raise ConfigurationError("expected the sync whose account it is: give sync= too")
        if self.key is not None and not self.key.startswith(_KEYS):
            raise ConfigurationError(f"expected a key as `penstock why` names it, such as 'serial:TASK:VALUE', got"
                                     f" {self.key!r}")

    @property
    def line(self) -> str | None:
        """The line that it is about, if it is one."""
        if self.sync is not None and self.account is not None:
            return line_of(self.sync, self.account)
        return self.key

    @property
    def what(self) -> str:
        """What the store knows it by."""
        if self.sync is not None:
            return f"sync:{self.sync}" if self.line is None else f"account:{self.line.removeprefix('run:')}"
        return f"key:{self.key}"


    def __str__(self) -> str:
        return Pause(0, self.queue, self.sync, self.account, self.key).what


def pause(store: Store, target: Target) -> bool:
    """Hold something back until it is resumed; False if it was paused already."""
    if target.queue is not None:
        return control.pause(store, target.queue)
    return _switch(store, target, "pause_add")


def resume(store: Store, target: Target) -> bool:
    """End a pause; False if there was none."""
    if target.queue is not None:
        return control.resume(store, target.queue)
    return _switch(store, target, "pause_end")


def paused(store: Store) -> list[Pause]:
    """Everything that is paused."""
    return sorted((_pause(what, at) for what, at in store.look("pauses")), key=lambda each: each.what)


def _switch(store: Store, target: Target, statement: str) -> bool:
    def work(tx: Transaction) -> bool:
        changed = tx.execute(statement, {"what": target.what}) > 0
        if changed and target.line is not None:
            tx.execute("line_look", {"line": target.line})
        return changed

    changed = store.write(work)
    store.wake()
    return changed


def _pause(what: str, at: int) -> Pause:
    kind, _, name = what.partition(":")
    if kind == "account":
        sync, account = msgspec.json.decode(name, type=tuple[str, str])
        return Pause(at, sync=sync, account=account)
    return Pause(at, **{kind: name})
