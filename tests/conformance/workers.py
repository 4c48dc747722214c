"""Workers of a test: real threads over a store whose clock stands still; stopped at the end at the latest."""

import threading
from collections import Counter
from typing import Any, TypeVar

from penstock import Penstock
from penstock.events import Event
from penstock.worker import Worker
from tests.clock import Clock
from tests.waiting import until

E = TypeVar("E", bound=Event)
DEADLINE_SECONDS = 20.0


class Workers:
    """Starts workers of one app, gathers what they tell, and reads what the store says of jobs.

    `go` is what tasks that wait wait for: it is set before the workers are stopped.
    """

    def __init__(self, app: Penstock, clock: Clock) -> None:
        self.app = app
        self.clock = clock
        self.go = threading.Event()
        self.events: list[Event] = []
        app.listen(self.events.append)
        self._started: list[Worker] = []

    def start(self, queues: dict[str, int] | None = None) -> Worker:
        worker = self.app.worker(queues)
        self._started.append(worker)
        worker.start()
        return worker

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def job(self, id: int, columns: str = "state") -> Any:
        """Some columns of a job; of one column its value; None where there is no such job."""
        rows = self.clock.fetch(f"select {columns} from penstock.jobs where id = {id}")
        return (rows[0][0] if len(rows[0]) == 1 else rows[0]) if rows else None

    def states(self) -> dict[str, int]:
        return dict(self.clock.fetch("select state, count(*) from penstock.jobs group by state"))  # type: ignore[arg-type]

    def wait_for(self, states: dict[str, int]) -> None:
        until(f"jobs by state are {states}", lambda: self.states() == states)

    def wait_until_settled(self) -> None:
        """Until nothing is live any more."""
        until("all is settled", lambda: not self.clock.fetch("select 1 from penstock.live_jobs"))

    def counts_agree(self) -> bool:
        """Whether the maintained counters say what counting says."""
        maintained = {(each.queue, each.task, each.state): each.jobs for each in self.app.counts()}
        counted = {row[:3]: row[3] for row in self.clock.fetch(
            "select queue, task, state, count(*) from penstock.jobs group by queue, task, state")}
        return maintained == counted

    def close(self) -> None:
        self.go.set()
        for worker in self._started:
            worker.stop()


class MostAtOnce:
    """How many of something were inside at once, at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most = 0

    def enter(self, kind: str = "") -> None:
        with self._lock:
            self.now[kind] += 1
            self.most = max(self.most, sum(self.now.values()))

    def leave(self, kind: str = "") -> None:
        with self._lock:
            self.now[kind] -= 1
