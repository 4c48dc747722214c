"""`bench case-a`: a product catalogue in PostgreSQL into an ads account, after a hundredth of it has changed.

*Before* is the design of case study A (see `bench.campaigns.before`). *After* is Penstock with the walk's four layers,
which reads everything; the same with buckets; and the same with `changed_since`, which leaves what is gone from the
source to its next whole read. Each arm is a process of its own, with a database for its state and a customer of the ads
server, and puts as many operations into a call. All have loaded the whole catalogue when the clock starts. In each
round the catalogue changes, and then the arms sync it one after the other: the medians of their seconds, from request
to settled, and the most memory that they ever took count, that of an interpreter that does nothing taken off.

After each sync the account has to hold what the catalogue says, no more and no less, and all arms have to have made the
same changes. `calls_over_minimum` is how many calls ours made that full batches, per layer and verb, would have spared.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.arms import arm, median
from bench.campaigns import shop
from bench.campaigns.before import BATCH
from bench.report import report
from bench.server import postgres, settle
from tests.servers.ads import Ads, ads_server

_HOWS = ("full", "buckets", "changed")
_BARE = "import bench.resident, bench.tally; bench.tally.say(peak_mb=bench.resident.peak_mb())"


@dataclass
class Arm:
    """One design: how it is called, where its state is, whose account it fills, and what its syncs came to."""

    name: str
    customer: str
    store: str
    rounds: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Counter[tuple[str, str]]] = field(default_factory=list)
    over: int = 0

    def sync(self, source: str, ads: Ads) -> dict[str, Any]:
        module, *how = ("before",) if self.name == "before" else ("ours", self.name)
        return arm((sys.executable, "-m", f"bench.campaigns.{module}"), *how, self.store, source, ads.url(),
                   self.customer)

    def timed(self, source: str, ads: Ads) -> None:
        settle(self.store)
        ads.forget()
        self.rounds.append(self.sync(source, ads))
        operated = ads.operations()
        refused = [each for each in operated if each.code is not None]
        if refused:
            raise SystemExit(f"{self.name}: expected that nothing was refused, got {refused[:3]}")
        self.changes.append(Counter((each.kind, each.verb) for each in operated))
        self.over += len(ads.calls("operations")) - sum(-(-count // BATCH) for count in self.changes[-1].values())

    def seconds(self) -> float:
        return median([each["seconds"] for each in self.rounds])

    def peak_mb(self) -> float:
        return max(float(each["peak_mb"]) for each in self.rounds)


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    size, rounds = (shop.Size(100, 1_250), 1) if quick else (shop.Size(100, 25_000), 3)
    with _prepared(size) as (source, ads, arms, settings):
        changed = 0
        for step in range(1, rounds + 1):
            changed = shop.change(source, size, step)
            settle(source)
            wanted = shop.advertised(source)
            for each in arms.values():
                each.timed(source, ads)
                _check(each, ads, wanted)
            _same([each.changes[-1] for each in arms.values()])
    bare = arm((sys.executable, "-c", _BARE))["peak_mb"]
    before, full = arms["before"], arms["full"]
    quickest = min((arms["buckets"], arms["changed"]), key=Arm.seconds)
    most = max(arms[how].peak_mb() for how in _HOWS)
    report("case-a", {"records": size.records, "changed": changed, "rounds": rounds, "batch": BATCH}, {
        "full_speedup": round(before.seconds() / full.seconds(), 1),
        "speedup": round(before.seconds() / quickest.seconds(), 1),
        "memory_ratio": round((most - bare) / (before.peak_mb() - bare), 4),
        "calls_over_minimum": sum(arms[how].over for how in _HOWS),
        **{f"{name}_s": round(each.seconds(), 2) for name, each in arms.items()},
        "full_records_per_s": round(size.records / full.seconds()),
        **{f"{how}_records_read": arms[how].rounds[-1]["read"] for how in _HOWS},
        "bare_mb": round(bare, 1), **{f"{name}_mb": round(each.peak_mb(), 1) for name, each in arms.items()},
    }, {"full_speedup": (">=", 20), "speedup": (">=", 60), "memory_ratio": ("<=", 0.05),
        "calls_over_minimum": ("<=", 0)}, **settings)


@contextmanager
def _prepared(size: shop.Size) -> Iterator[tuple[str, Ads, dict[str, Arm], dict[str, str]]]:
    """The catalogue, the ads server, and arms whose state and account hold the whole of it."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        ads = stack.enter_context(ads_server(apart=True))
        source = stack.enter_context(server.database())
        shop.fill(source, size)
        settle(source)
        arms = {name: Arm(name, f"customer-{name}", stack.enter_context(server.database()))
                for name in ("before", *_HOWS)}
        for each in arms.values():
            each.sync(source, ads)
            ads.forget()
        yield source, ads, arms, server.settings


def _check(done: Arm, ads: Ads, wanted: set[tuple[Any, ...]]) -> None:
    """That the account holds what the catalogue says, but for what is gone where the arm is not told."""
    held: list[tuple[Any, ...]] = []
    names: dict[int | None, str | None] = {None: None}
    for kind, (_, columns) in shop.KINDS.items():
        for record in ads.records(kind, done.customer):
            names[record.id] = record.reference
            held.append((kind, names[record.parent], *(record.fields[name] for name in columns)))
    have = set(held)
    if len(have) != len(held) or wanted - have or (have != wanted and done.name != "changed"):
        raise SystemExit(f"{done.name}: expected the account to hold what the catalogue says, got"
                         f" {len(held) - len(have)} twice, {len(wanted - have)} missing, {len(have - wanted)} too many")


def _same(made: list[Counter[tuple[str, str]]]) -> None:
    """That all arms made the same changes; the last, with `changed_since`, all but the deletes."""
    *all_of, upserts = made
    if any(each != all_of[0] for each in all_of) or upserts != +Counter(
            {step: count for step, count in all_of[0].items() if step[1] != "remove"}):
        raise SystemExit(f"expected that all arms make the same changes, got {made}")
