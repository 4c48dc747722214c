"""`bench case-k`: case study K in virtual time: one account's 36 groups into a directory, on a host that ends at 540 s.

To fetch what the directory holds takes 240 s. To read a group's pages takes 15 s, and to write all of its people 45 s,
in nine calls; both times a factor of the group, log-normal with σ 0.3 around a mean of 1. One API key: nothing runs
beside anything else, and each window begins when the one before has ended.

*Before*: each job fetches what the directory holds, and syncs one group. *Case study*: a window fetches it once, and
begins another group while at least 100 s of 500 remain; what is cut off at 540 s goes on in the next. *Penstock*: the
real engine on a real store, by `app.drain`, whose clocks (the store's and the monotonic one) go on only when the
directory or the source takes its time. Before and the case study are arithmetic with the same times: their code costs
nothing.

In the next pass 1% of the people have changed, and a call takes as long as ever, be it for one record. The time of
Penstock's next pass is held against before's own. `windows_over_limit` and `calls_over_limit` count what was under way
at 540 s, over more seeds; once all is done, the directory has to hold what the source says.
"""

import math
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.report import report
from penstock import Penstock, Window
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from tests.clock import Clock

GROUPS, PEOPLE, BATCH = 36, 45, 5
HELD, HELD_PAGE = 240, 10
FETCH, PAGES, WRITES, SIGMA = 240.0, 15.0, 45.0, 0.3
CALL = WRITES / (PEOPLE / BATCH)
LIMIT = 540.0
WINDOW = Window(total=500, headroom=100)
CHANGED = round(GROUPS * PEOPLE / 100)
MOST_WINDOWS = 100

Record = dict[str, Any]


@dataclass
class World:
    """The source, the directory, and the time, which each use of them takes."""

    seed: int
    clock: Clock | None = None
    at: float = 0.0
    ends_at: float = math.inf
    late: int = 0
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    directory: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        drawn = random.Random(self.seed)
        self.factors = {f"group-{number:02}": drawn.lognormvariate(-SIGMA**2 / 2, SIGMA) for number in range(GROUPS)}
        self.people = {group: {f"{group}/{number:02}": "as it was" for number in range(PEOPLE)}
                       for group in self.factors}
        self.directory = {f"else-{number}": {"name": "somebody else"} for number in range(HELD)}
        self.changed = drawn.sample([key for people in self.people.values() for key in people], CHANGED)

    def change(self) -> None:
        """1% of the people, wherever they are."""
        for key in self.changed:
            self.people[key.partition("/")[0]][key] = "changed"

    def take(self, seconds: float) -> None:
        self.at += seconds
        assert self.clock is not None
        self.clock.advance(seconds)

    def call(self, seconds: float) -> None:
        """Something that may not be under way when the host ends."""
        self.take(seconds)
        self.late += self.at > self.ends_at

    def calls(self, group: str) -> int:
        """How many calls write what changed in a group."""
        return math.ceil(sum(key.startswith(f"{group}/") for key in self.changed) / BATCH)


class Users:
    """The directory's users, as a person would write it."""

    enforces_key = True

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, run: Run) -> Iterator[list[tuple[str, str, Record]]]:
        held = list(self._world.directory.items())
        pages = max(math.ceil(len(held) / HELD_PAGE), 1)
        for start in range(0, len(held), HELD_PAGE):
            self._world.call(FETCH / pages)
            yield [(id, id, payload) for id, payload in held[start:start + HELD_PAGE]]

    def create(self, changes: list[Change], run: Run) -> list[Done]:
        return self._write(changes, run)

    update = disable = create

    def find(self, values: list[str], run: Run) -> dict[str, str]:
        self._world.call(CALL)
        return {value: value for value in values if value in self._world.directory}

    def _write(self, changes: list[Change], run: Run) -> list[Done]:
        self._world.call(CALL * self._world.factors[run.subject.key])
        for change in changes:
            self._world.directory[change.key] = change.payload
        return [Done(change.key) for change in changes]


def declared(url: str, world: World) -> Penstock:
    """The sync of case study K, over that world."""
    app = Penstock(url, now=world.clock.expression if world.clock else None)
    app.monotonic = lambda: world.at

    class People(Layer[Record]):
        scope, key, on_delete, batch_size = "account", "id", "disable", BATCH
        in_doubt_delay = timedelta(0)
        destination = Users(world)

        def source(self, run: Run) -> Any:
            people = world.people[run.subject.key]
            world.take(PAGES * world.factors[run.subject.key])
            yield from ({"id": key, "name": name} for key, name in people.items())
            return Complete(len(people))

        def render(self, person: Record, run: Run) -> Record:
            return {"name": person["name"]}

    @app.sync("directory", window=WINDOW)
    class Directory(Sync[str]):
        layers = [People]

        def subjects(self) -> Iterator[Subject]:
            for group in world.factors:
                yield Subject(group, account="customer", size=PEOPLE)

    return app


@dataclass
class Passed:
    """What one pass of Penstock took."""

    seconds: float = 0.0
    windows: int = 0
    windows_over: int = 0
    calls_over: int = 0


def passed(app: Penstock, world: World) -> Passed:
    """Request every group, and drain in one invocation of the host after the other until nothing remains."""
    found, began = Passed(), world.at
    app.request([{"sync": "directory", "subject": group, "account": "customer", "priority": 0, "reason": "bench"}
                 for group in world.factors])
    while True:
        started = world.at
        world.ends_at = started + LIMIT
        remaining = app.drain(WINDOW, slots=1).remaining
        found.windows += 1
        found.windows_over += world.at > world.ends_at
        if not remaining:
            break
        if found.windows == MOST_WINDOWS:
            raise SystemExit(f"seed {world.seed}: {remaining} groups remain after {MOST_WINDOWS} windows")
    found.seconds, found.calls_over, world.late = world.at - began, world.late, 0
    wrong = [key for people in world.people.values() for key, name in people.items()
             if world.directory.get(key) != {"name": name}]
    if wrong or len(world.directory) != HELD + GROUPS * PEOPLE:
        raise SystemExit(f"seed {world.seed}: the directory does not hold what the source says: {wrong[:3]}")
    return found


def before(world: World, *, first: bool) -> float:
    """One group per job, each of which fetches what the directory holds."""
    return sum(FETCH + factor * (PAGES + (WRITES if first else CALL * world.calls(group)))
               for group, factor in world.factors.items())


def case_study(world: World) -> float:
    """What is fetched once serves a window; the rule when to begin another group is fixed."""
    total, waiting = 0.0, [factor * (PAGES + WRITES) for factor in world.factors.values()]
    while waiting:
        elapsed = FETCH
        while waiting and elapsed <= WINDOW.total - WINDOW.headroom:
            elapsed += waiting.pop(0)
            if elapsed > LIMIT:
                waiting.insert(0, elapsed - LIMIT)  # what it had done of the group stays done
                elapsed = LIMIT
        total += elapsed
    return total


def one(seed: int, template: str, both: bool) -> tuple[float, float, float, int, int, int]:
    """The speed-ups of a seed (of the next pass if `both`), how many windows it took, and what was over the limit."""
    with tempfile.TemporaryDirectory(prefix="penstock-case-k-") as folder:
        url = f"sqlite:///{shutil.copy(template, Path(folder) / 'store.db')}"
        with closing(Clock(url)) as clock:
            world = World(seed, clock)
            with declared(url, world) as app:
                first, speed_up = passed(app, world), 0.0
                over = [first.windows_over, first.calls_over]
                if both:
                    world.change()
                    second = passed(app, world)
                    speed_up = before(world, first=False) / second.seconds
                    over = [over[0] + second.windows_over, over[1] + second.calls_over]
    once = before(world, first=True)
    return once / case_study(world), once / first.seconds, speed_up, first.windows, over[0], over[1]


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    medians, seeds = (10, 20) if quick else (200, 1000)
    with tempfile.TemporaryDirectory(prefix="penstock-case-k-") as folder, ProcessPoolExecutor(2) as processes:
        template = str(Path(folder) / "template.db")
        with declared(f"sqlite:///{template}", World(0)) as app:
            app.migrate()
        found = list(processes.map(one, range(seeds), [template] * seeds, [seed < medians for seed in range(seeds)],
                                   chunksize=5))
    case, first, following, windows, _, _ = ([each[place] for each in found[:medians]] for place in range(6))
    report("case-k", {"groups": GROUPS, "seeds_for_medians": medians, "seeds": seeds}, {
        "case_study_speedup": statistics.median(case),
        "first_pass_speedup": statistics.median(first),
        "next_pass_speedup": statistics.median(following),
        "windows": statistics.median(windows),
        "windows_over_limit": sum(each[4] for each in found),
        "calls_over_limit": sum(each[5] for each in found),
    }, {"case_study_speedup": (">=", 2.0), "first_pass_speedup": (">=", 4.0), "next_pass_speedup": (">=", 12.0),
        "windows_over_limit": ("<=", 0), "calls_over_limit": ("<=", 0)}, store="sqlite")
