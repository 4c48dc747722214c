"""Limits: what of each key is used now, and the gates, which people close and open."""

from datetime import timedelta

import msgspec

from penstock.limits.telling import KeyState, Use
from penstock.web.declared import Action, Done, Seen, View
from penstock.web.frame import to
from penstock.web.pages.of_syncs import PAGE
from penstock.web.pages.subjects import GateShown, gate_shown

_GATES = 100


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`find` is how a key begins; `after` is what the last page gave as `next`."""

    find: str | None = None
    after: str | None = None


class KeyShown(msgspec.Struct, frozen=True):
    """A key, the use of each of its limits, and its gate."""

    key: str
    limits: list[Use]
    gate: str
    left_ms: int | None
    reason: str
    closed_by: str | None


class Limits(msgspec.Struct, frozen=True):
    """The gates that are not open, and a page of keys of which permits were given."""

    gates: list[GateShown]
    more_gates: bool
    keys: list[KeyShown]
    next: str | None
    now: int


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The gate of a key."""

    key: str


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` is what those who wait are told; without `minutes` it stays closed until somebody opens it."""

    key: str
    reason: str
    minutes: int | None = None


def load(seen: Seen, asked: Asked) -> Limits:
    """What is used of each key's limits now, and the gates that are not open."""
    app, begins = seen.app, asked.find or ""
    gates = app.shut_gates(begins=begins, limit=_GATES + 1)
    keys, next_ = app.limit_page(begins=begins, start=asked.after or "", limit=PAGE)
    return Limits([gate_shown(seen, each) for each in gates[:_GATES]], len(gates) > _GATES,
                  [_key(seen, each) for each in keys], next_, app.now_ms())


def _key(seen: Seen, state: KeyState) -> KeyShown:
    left = None if state.gate_seconds is None else round(state.gate_seconds * 1000)
    return KeyShown(state.key, list(state.limits), state.gate, left, seen.masked(state.gate_reason),
                    state.gate_closed_by)


def open_(seen: Seen, asked: Gate) -> Done:
    """Let calls through under a key again."""
    gate = seen.app.gate(asked.key)
    before = gate.state
    opened = gate.open()
    return Done(f"the gate of {asked.key} is open" if opened else f"the gate of {asked.key} was open already",
                to("/limits"), f"gate:{asked.key}", before=before, after="open")


def close(seen: Seen, asked: Close) -> Done:
    """Let no call through under a key. After its time one call is let through, to see whether it may open."""
    gate = seen.app.gate(asked.key)
    before = gate.state
    lasting = None if asked.minutes is None else timedelta(minutes=asked.minutes)
    gate.close(asked.reason, lasting=lasting, by=seen.person.name)
    until = "until somebody opens it" if asked.minutes is None else f"for {asked.minutes:,} min"
    return Done(f"the gate of {asked.key} is closed {until}", to("/limits"), f"gate:{asked.key}", before=before,
                after=f"closed {until}: {asked.reason}")


VIEWS = [View(path="/limits", asked=Asked, load=load, template="limits/list.html", title="Limits", nav="limits",
              live=2.0)]
ACTIONS = [
    Action(path="/limits/open", asked=Gate, do=open_),
    Action(path="/limits/close", asked=Close, do=close),
]
