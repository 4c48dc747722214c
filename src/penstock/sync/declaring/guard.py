"""The guard: whether so many deletes look like a mistake. A pure rule over counts.

Deleting is the dangerous verb, and a source that is wrong looks like one that shrank. What is counted is what a run is
about to delete without anybody's leave, never what was withheld before: so a question that is answered, or records that
come back, leave nothing behind that could trip the guard again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from penstock.domain.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Guard:
    """When deletes of a layer are withheld: at `at_least` of them, if they are more than `most`, or more than `percent`
    of the rows that were there.

    An approval, and the question for one, is good for the time `expires`. Raises `DeclarationError` with every fault.
    """

    at_least: int = 10
    most: int = 500
    percent: int = 20
    expires: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        faults = [f"Guard: {name}: expected a whole number of {least} or more{rest}, got {value!r}"
                  for name, value, least, highest, rest in (
                      ("at_least", self.at_least, 1, None, ""), ("most", self.most, 0, None, ""),
                      ("percent", self.percent, 1, 100, ", up to 100"))
                  if type(value) is not int or value < least or (highest is not None and value > highest)]
        if not isinstance(self.expires, timedelta) or self.expires <= timedelta(0):
            faults.append(f"Guard: expires: expected a timedelta of more than 0, got {self.expires!r}")
        if faults:
            raise DeclarationError(faults)

    def trips(self, deletes: int, live: int) -> bool:
        """Whether so many deletes, of so many rows that were there before them, are too many."""
        return deletes >= self.at_least and (deletes > self.most or self._share_trips(deletes, live))

    def _share_trips(self, deletes: int, live: int) -> bool:
        return deletes * 100 > self.percent * live

    @property
    def enough(self) -> int:
        """How many rows there must be that their number decides nothing, so that nobody has to count further."""
        return -(-self.most * 100 // self.percent)

    def limit(self, deletes: int) -> str:
        """Which limit so many deletes are beyond, in words."""
        return f"{self.most:,}" if deletes > self.most else f"{self.percent} %"


class Sum(NamedTuple):
    """What has been `removed` already, what others are `about_to` remove, and how many rows are `live` now."""

    removed: int
    about_to: int
    live: int

    def trips(self, guard: Guard, deletes: int) -> bool:
        """Whether so many more deletes would be too many. What was removed was there, so it counts among the rows."""
        return deletes > 0 and guard.trips(self.removed + self.about_to + deletes, self.removed + self.live)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one run would delete in one layer: `deletes` that nobody has decided on, and whether a question is `open`.

    `run` is of this run in its scope, `account` and `everywhere` of the last 24 hours. The layer refers to `targets`.
    """

    layer: str
    guard: Guard
    deletes: int
    open: bool
    targets: frozenset[str]
    run: Sum
    account: Sum
    everywhere: Sum


def decide(layers: Sequence[Weighed]) -> dict[str, str]:
    """The layers whose deletes are withheld in this run, each with the reason.

    Too many for one run, in a layer or in all together, and the run deletes nothing: a source that is wrong about one
    layer is not believed about another. Too many within 24 hours, or an open question, hold back that layer, and the
    layers to which it refers: to delete a parent would take its children along at most destinations.
    """
    deleting = [each for each in layers if each.deletes]
    together = sum(each.run.removed + each.deletes for each in deleting)
    if deleting and all(each.guard.at_least <= together > each.guard.most for each in deleting):
        most = max(each.guard.most for each in deleting)
        return _all(layers, f"{together:,} deletes in this run, more than {most:,}")
    for each in layers:
        if each.run.trips(each.guard, each.deletes):
            return _all(layers, _reason(each, each.run, "of this run"))
    reasons = {each.layer: reason for each in layers if (reason := _of_a_day(each)) is not None}
    _spread(reasons, {each.layer: each.targets for each in layers})
    return reasons


def _all(layers: Sequence[Weighed], reason: str) -> dict[str, str]:
    return {each.layer: reason for each in layers}


def _of_a_day(each: Weighed) -> str | None:
    if each.everywhere.trips(each.guard, each.deletes):
        return _reason(each, each.everywhere, "within 24 hours")
    if each.account.trips(each.guard, each.deletes):
        return _reason(each, each.account, "of this account within 24 hours")
    if each.open:
        return f"{each.layer}: an earlier question is open"
    return None


def _reason(each: Weighed, total: Sum, where: str) -> str:
    deletes = total.removed + total.about_to + each.deletes
    of = f" of {total.removed + total.live:,} rows" if deletes <= each.guard.most else ""
    return f"{each.layer}: {deletes:,} deletes{of} {where}, more than {each.guard.limit(deletes)}"


def _spread(reasons: dict[str, str], targets: Mapping[str, frozenset[str]]) -> None:
    """Withhold what the withheld layers refer to, and what that refers to."""
    waiting = list(reasons)
    while waiting:
        layer = waiting.pop()
        for target in targets.get(layer, frozenset()) - reasons.keys():
            reasons[target] = f"{layer}, whose deletes are withheld, refers to {target}"
            waiting.append(target)
