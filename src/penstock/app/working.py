"""Workers, and what is enqueued by the clock, as they stand: asked through the app by commands, pages and programs."""

from penstock.app.declaring import Declaring
from penstock.queue import workers
from penstock.queue.workers import StacksAnswer, WorkerJob, WorkerRow
from penstock.schedule import periodic
from penstock.schedule.periodic import PeriodicSeen


class Working(Declaring):
    """Who works, at what, and what comes next by the clock."""

    def workers(self, after: int = 0, limit: int = 100) -> list[WorkerRow]:
        """The workers, drains among them, in the order in which they started; the next page is `after` the last's id.

        One that has stopped without a word stays until its lease has run out and somebody rescues its jobs.
        """
        return workers.workers(self.store, after, limit)

    def worker_found(self, worker_id: int) -> WorkerRow | None:
        """One worker; None where there is none (any more)."""
        return workers.worker(self.store, worker_id)

    def worker_jobs(self, worker_id: int) -> list[WorkerJob]:
        """What a worker has under way, the longest first, 200 at most. Some of it may wait in it for a slot."""
        return workers.worker_jobs(self.store, worker_id)

    def live_slots(self) -> dict[str, int]:
        """The slots of each queue in the workers that live."""
        return workers.slots_by_queue(self.store)

    def ask_stacks(self, worker_id: int) -> bool:
        """Ask a worker what its slots are doing; it answers within seconds, if anything runs: see `stacks`.

        False where no such worker lives.
        """
        return workers.ask_stacks(self.store, worker_id)

    def stacks(self, worker_id: int) -> StacksAnswer | None:
        """What a worker that was asked for its stacks has answered; None where nobody has asked in the last minutes."""
        return workers.stacks(self.store, worker_id)

    def periodic_tasks(self) -> list[PeriodicSeen]:
        """Every periodic task that this app declares or the store knows, by name, with its next and missed ticks."""
        return periodic.seen(self.store, self.periodics)
