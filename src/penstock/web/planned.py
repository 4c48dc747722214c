"""What two plans of a statement come to, side by side, in words: without the index that is advised, and with it."""

import re
from collections.abc import Iterator

import msgspec

from penstock.domain.advice import Measure, Node, Plan, Verdict
from penstock.domain.lasting import lasting
from penstock.domain.plans import sorts, walk

_TRIAL = re.compile(r"(?:<\d+>\w+|penstock_trial_\w+)")
_WHOLE = ("SCAN", "Seq Scan", "Parallel Seq Scan")
MEANS = {
    "hypopg": "an index that PostgreSQL was told to imagine (HypoPG); nothing was built, and nothing was timed",
    "scratch": "a sample of the tables' rows in a scratch schema",
    "rolled back": "a real index, built and rolled back again on the database that was named for it",
    "real": "a real index on the database that was named for it",
    "copy": "a real index in a copy of the file",
    "plan": "the planner's answer alone; nothing was timed",
    "clone": "a clone of the schema with its statistics and no rows, so nothing was timed",
}
"""How a verdict was come by, by its `by`."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a plan does, before and with the index; None where it is not known."""

    what: str
    before: str | None
    after: str | None


def compared(verdict: Verdict) -> list[Compared]:
    """What is known of both sides: measured, as far as that was done, else what the planner says."""
    sides = [_said(verdict.before, verdict.measured_before), _said(verdict.after, verdict.measured_after)]
    names = list(dict.fromkeys(name for side in sides for name in side))
    return [Compared(what=name, before=sides[0].get(name), after=sides[1].get(name)) for name in names]


def named(text: str, index: str) -> str:
    """The text of a plan with the index by its name, which in a trial has another."""
    return _TRIAL.sub(index, text)


def _said(plan: Plan | None, measured: Measure | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if measured is not None and measured.took_us is not None:
        found["Time of a call"] = lasting(measured.took_us)
    if measured is not None and measured.blocks is not None:
        found["Blocks read by a call"] = f"{measured.blocks:,}"
    if plan is None:
        return found
    if plan.root.cost is not None:
        found["Planner's cost"] = f"{plan.root.cost:,.0f}"
    for node in _reads(plan.root):
        found.setdefault(f"Rows of {node.table}", _read(node))
    found["Sorted"] = "for each call" if sorts(plan.root) else "not at all: they come in order"
    return found


def _reads(root: Node) -> Iterator[Node]:
    return (node for node in walk(root) if node.table)


def _read(node: Node) -> str:
    filtered = ", then filtered" if node.filter else ""
    if node.kind in _WHOLE and not node.index:
        return f"all are read{filtered}"
    if node.condition:
        count = len(node.condition.split(" AND "))
        return f"found by {count} {'condition' if count == 1 else 'conditions'}{filtered}"
    return f"all are read, by an index{filtered}"
