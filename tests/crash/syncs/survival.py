"""One seed: a sync whose processes are killed, whose calls fail and whose source is edited; and the verdict."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol

import msgspec

from tests.clock import Clock
from tests.crash.syncs.nursery import PAGES, Order, Report
from tests.processes import Child

ROUNDS = 4
_A_DAY = 25 * 3600.0        # deletes are withheld where there are too many of them in a day
_RESCUED = 2 * 3600.0       # the lease of a process that died has lapsed
_MOST_RUNS = 6
_PLACES = {"store": 90, "request": 12, "page": 24}
"""Up to the how manieth boundary of its kind a process is killed at."""

Identity = tuple[str, ...]
"""Which record: its kind, and what it is called by in the source."""


class Found(NamedTuple):
    """A record at the destination; `facts` is what is to equal the source's."""

    identity: Identity
    id: str
    facts: Any


class Side(Protocol):
    """One sync with both its ends. `environment` tells its program where they are."""

    sync: str
    environment: dict[str, str]
    subjects: list[tuple[str, str]]
    shared: frozenset[str]
    """The kinds of records that several subjects may have."""

    def change(self, chance: Random) -> None:
        """Edit the source."""

    def wanted(self) -> Mapping[Identity, Any]:
        """What the source says: the facts of each record."""

    def held(self) -> list[Found]:
        """What the destination has, but for what somebody made there by hand."""

    def strangers(self) -> Any:
        """What somebody made there by hand."""

    def fault(self, chance: Random) -> str:
        """Have the destination do something wrong once, soon. Gives its name."""

    def behave(self) -> bool:
        """Have it do nothing wrong any more; whether the fault has struck."""

    def writes(self) -> int:
        """How many calls have written something there so far."""


@dataclass
class Tally:
    """What has happened to all seeds so far."""

    seeds: int = 0
    processes: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Wrong(AssertionError):
    """The destination is not as it has to be."""


class Survival:
    """A side, its store and its processes, for one seed."""

    def __init__(self, side: Side, seed: str, *, url: str, clock: Clock, nursery: Child, tally: Tally) -> None:
        self._side = side
        self._url = url
        self._clock = clock
        self._nursery = nursery
        self._tally = tally
        self._chance = Random(seed)
        self._story = [f"seed {seed!r}"]
        self._known: set[Identity] = set(side.wanted())
        self._were_absent: set[Identity] = set()

    def run(self) -> None:
        """Rounds of changes, faults and kills; then the five things that have to be so. The tally has what is wrong."""
        try:
            self._run()
        except Wrong as wrong:
            self._tally.wrong.append(str(wrong))
        self._tally.seeds += 1

    def _run(self) -> None:
        strangers = self._side.strangers()
        for number in range(ROUNDS):
            self._clock.advance(_A_DAY)
            for _ in range(self._chance.randint(1, 3)):
                if number and self._chance.random() < 0.7:
                    self._change()
                self._harmed()
        self._settled()
        wanted, found = dict(self._side.wanted()), {each.identity: each.facts for each in self._side.held()}
        self._check("the destination is not what the source says", _differences(wanted, found))
        self._check("what was made by hand has changed", _differences(strangers, self._side.strangers()))
        before = self._side.writes()
        runs = self._runs()
        self._check("the next run wrote", [str(each) for each in runs if each["write_calls"]])
        self._check("the next run called a verb that writes", [str(self._side.writes() - before)]
                    if self._side.writes() != before else [])

    def _change(self) -> None:
        self._side.change(self._chance)
        self._story.append("changed")
        wanted = set(self._side.wanted())
        self._were_absent |= self._known - wanted
        self._known |= wanted

    def _harmed(self) -> None:
        """One process, and what befalls it."""
        order, chance = self._order(), self._chance
        fault = self._side.fault(chance) if chance.random() < 0.6 else None
        if chance.random() < 0.25:
            order.page = (chance.choice(sorted(PAGES)), chance.randint(1, 8))
        if (fate := chance.random()) < 0.55:
            kind = chance.choice(sorted(_PLACES))
            order.killed_at = (kind, chance.randint(1, _PLACES[kind]))
        elif fate < 0.75:
            order.killed_after = chance.uniform(0.005, 0.15)
        before = self._side.held()
        report = self._born(order)
        struck = self._side.behave()
        self._tally.processes += 1
        if report.killed:
            kind = order.killed_at[0] if order.killed_at else "random moment"
            self._tally.kills[kind] += 1
        for what in (fault if struck else None, report.page):
            if what:
                self._tally.faults[what] += 1
        self._story.append(", ".join(filter(None, [fault if struck else None, report.page,
                                                   report.killed and f"killed {report.killed}"])) or "unharmed")
        self._unharmed_since(before)
        self._clock.advance(_RESCUED)

    def _unharmed_since(self, before: Sequence[Found]) -> None:
        """Nothing is there twice, and nothing has gone, or been made anew, that the source has.

        What subjects share goes once each of them was read without it; who comes back after that may go, and comes
        back with the read that has him.
        """
        wanted, after = self._side.wanted(), self._side.held()
        counts = Counter(each.identity for each in after)
        self._check("there twice", [f"{identity}" for identity, count in counts.items() if count > 1])
        ids = {each.identity: each.id for each in after}
        self._check("deleted, and the source has it", [
            f"{each.identity}: {each.id}, now {ids.get(each.identity)}" for each in before
            if each.identity in wanted and ids.get(each.identity) != each.id
            and not (each.identity[0] in self._side.shared and each.identity in self._were_absent)])

    def _settled(self) -> None:
        """Runs without any harm, until two after each other had nothing to complain of."""
        well = 0
        for _ in range(_MOST_RUNS):
            before = self._side.held()
            runs = self._runs()
            self._unharmed_since(before)
            well = well + 1 if all(_ended_well(each) for each in runs) else 0
            if well == 2:
                return
        self._check("does not come to rest", [str(each) for each in runs])

    def _runs(self) -> list[dict[str, Any]]:
        """A run of each subject, a day later; how each ended."""
        self._clock.advance(_A_DAY)
        self._story.append("a quiet run")
        self._born(self._order())
        columns = ("subject", "status", "failed", "blocked", "withheld", "write_calls", "error")
        rows = self._clock.fetch(f"select {', '.join(columns)} from penstock.sync_runs where id in"
                                 " (select max(id) from penstock.sync_runs group by subject)")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _order(self) -> Order:
        return Order(self._url, self._clock.expression, self._side.sync, self._side.subjects, self._side.environment)

    def _born(self, order: Order) -> Report:
        report = ask(self._nursery, order)
        self._check("a process ended with an error", [report.error] if report.error else [])
        return report

    def _check(self, what: str, faults: Sequence[str]) -> None:
        if faults:
            shown = "\n".join(f"  {each}" for each in faults[:12])
            raise Wrong(f"{what} ({len(faults)}):\n{shown}\nafter\n  " + "\n  ".join(self._story))


def ask(nursery: Child, order: Order) -> Report:
    """Have a child born, and wait for its end."""
    nursery.tell(msgspec.json.encode(order).decode())
    return msgspec.json.decode(nursery.line("killed"), type=Report)


def _ended_well(run: Mapping[str, Any]) -> bool:
    return run["status"] == "succeeded" and not (run["failed"] or run["blocked"] or run["withheld"])


def _differences(wanted: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    return [f"{identity}: expected {wanted.get(identity, 'nothing')}, got {found.get(identity, 'nothing')}"
            for identity in {**wanted, **found}
            if identity not in wanted or identity not in found or wanted[identity] != found[identity]]


def arm(chance: Random, ways: Mapping[str, Callable[[], None]]) -> str:
    """Choose one way to go wrong."""
    name = chance.choice(sorted(ways))
    ways[name]()
    return name
