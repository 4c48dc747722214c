"""A ledger outside the database: what a process wrote there is written, whoever is killed after it.

Every process appends lines of one width to a file of its own, each by one write. `Ledger.judge` holds the lines of all
against each other: what was committed, what ran how often, and which kill explains what ran twice.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BATCH = 50
WIDTH = 49
COMMITTED, INTENDED, UP, LOST, STARTED, ENDED, STALE = "c", "i", "u", "r", "s", "e", "x"
"""An enqueuer will enqueue a batch, and a job of it is committed; a worker is up, or had to take a new identity; a job
begins, and has ended; what it came to was refused."""


def text(kind: str, job_id: int = 0, batch: int = 0) -> bytes:
    """A line; the time is that of the machine's monotonic clock, which its processes share."""
    return f"{kind} {job_id:012} {batch:012} {time.monotonic_ns():020}\n".encode()


class Line(NamedTuple):
    kind: str
    job_id: int
    batch: int
    at_ns: int


class Execution(NamedTuple):
    pid: int
    started_at: int
    ended_at: int | None


@dataclass
class Verdict:
    """`repeats` are executions after which the same job ran again, by what explains them."""

    committed: int
    executions: int
    kills_of_workers: int
    kills_of_enqueuers: int
    lost: list[int] = field(default_factory=list)
    torn: list[int] = field(default_factory=list)
    unexplained: list[tuple[int, Execution]] = field(default_factory=list)
    executing_at_a_kill: int = 0
    unacked_at_a_kill: int = 0
    after_a_lost_lease: int = 0
    oldest_unacked_ms: float = 0.0

    @property
    def duplicates(self) -> int:
        return self.executing_at_a_kill + self.unacked_at_a_kill + self.after_a_lost_lease + len(self.unexplained)

    @property
    def duplicates_per_kill(self) -> float:
        return self.duplicates / max(self.kills_of_workers, 1)


class Ledger:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def size(self, pids: Collection[int]) -> int:
        """How many lines these processes have written."""
        return sum(path.stat().st_size for pid in pids if (path := self._folder / f"{pid}.log").exists()) // WIDTH

    def last(self, pid: int) -> Line | None:
        """The last line so far."""
        return next(self.lines(pid, max(self.size([pid]) - 1, 0)), None)

    def lines(self, pid: int, after: int = 0) -> Iterator[Line]:
        """Whole lines, but for the first few: of the last write of a process that was killed, only a part may be
        there."""
        path = self._folder / f"{pid}.log"
        written = b""
        if path.exists():
            with path.open("rb") as file:
                file.seek(after * WIDTH)
                written = file.read()
        for place in range(0, len(written) - WIDTH + 1, WIDTH):
            kind, job_id, batch, at_ns = written[place:place + WIDTH].decode().split()
            yield Line(kind, int(job_id), int(batch), int(at_ns))

    def says(self, pid: int, kind: str) -> bool:
        return any(line.kind == kind for line in self.lines(pid))

    def judge(self, *, workers: Mapping[int, int | None], enqueuers: Mapping[int, int | None],
              completed: Collection[int]) -> Verdict:
        """`workers` and `enqueuers`: pids, and when each was killed, if it was; `completed`: what the store says."""
        committed: set[int] = set()
        batches: dict[int, set[int]] = defaultdict(set)
        for pid in enqueuers:
            for line in self.lines(pid):
                if line.kind == COMMITTED:
                    committed.add(line.job_id)
        ran: dict[int, list[Execution]] = defaultdict(list)
        lost_at: dict[int, int] = {}
        for pid in workers:
            open_: dict[int, int] = {}
            for line in self.lines(pid):
                if line.kind == STARTED:
                    batches[line.batch].add(line.job_id)
                    open_[line.job_id] = line.at_ns
                elif line.kind == ENDED:
                    ran[line.job_id].append(Execution(pid, open_.pop(line.job_id), line.at_ns))
                elif line.kind == LOST:
                    lost_at.setdefault(pid, line.at_ns)
            for job_id, started_at in open_.items():
                ran[job_id].append(Execution(pid, started_at, None))
        verdict = Verdict(len(committed), sum(map(len, ran.values())), sum(at is not None for at in workers.values()),
                          sum(at is not None for at in enqueuers.values()))
        done = {job_id for job_id, executions in ran.items() if any(each.ended_at for each in executions)}
        verdict.lost = sorted((committed | set(ran)) - (done & set(completed)))
        verdict.torn = sorted(batch for batch, ids in batches.items() if len(ids) != BATCH)
        for job_id, executions in ran.items():
            for execution in sorted(executions, key=lambda each: each.started_at)[:-1]:
                killed_at = workers[execution.pid]
                if killed_at is None:
                    if execution.pid in lost_at:
                        verdict.after_a_lost_lease += 1
                    else:
                        verdict.unexplained.append((job_id, execution))
                elif execution.ended_at is None:
                    verdict.executing_at_a_kill += 1
                else:
                    verdict.unacked_at_a_kill += 1
                    verdict.oldest_unacked_ms = max(
                        verdict.oldest_unacked_ms, (killed_at - execution.ended_at) / 1_000_000)
        return verdict

    def intended(self, pid: int) -> set[int]:
        return {line.batch for line in self.lines(pid) if line.kind == INTENDED}
