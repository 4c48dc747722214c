"""Jobs as people look for them and act on them: lists, one job, counts, acts on many, rates, backlog."""

from collections.abc import Sequence
from typing import Literal

from penstock.app.asking import Asking
from penstock.domain.jobs import Batch, Job, Retention, id_of
from penstock.domain.listing import Acted, Backlog, Counted, JobFilter, JobFound, JobsPage, Rates, Waited
from penstock.events import JobsActedOn
from penstock.queue import batches
from penstock.queue.arguments.showing import result_shown
from penstock.queue.batches import BatchStatus
from penstock.queue.listing import acts, found, pages, rates
from penstock.queue.listing.rates import Span
from penstock.queue.together import batch_id

MOST_COUNTED = pages.MOST_COUNTED
_NAMED = 5


class Listing(Asking):
    """Bounded questions about any number of jobs, and acts on them."""

    def jobs(self, state: str | None = None, task: str | None = None, queue: str | None = None, tag: str | None = None,
             error_class: str | None = None, since: int | None = None, until: int | None = None,
             after: str | None = None, limit: int = 50, batch: int | None = None) -> JobsPage:
        """A page of the jobs that fit all that is given; the next one is `after` the cursor that it names.

        All jobs, and those that have ended, come newest first; what is executing by how long ago it was claimed; what
        is `scheduled` or `retryable` by when it is due; other jobs of a `batch` as they were enqueued. `since` and
        `until` are milliseconds since 1970, and about when jobs were enqueued. At most 5,000 rows are looked at: a page
        may hold fewer jobs than `limit` and have a next one. Raises `InvalidArguments`.
        """
        return pages.page(self.store, JobFilter(state, task, queue, tag, error_class, since, until, batch), after,
                          limit)

    def batches(self, before: int | None = None, limit: int = 50) -> list[BatchStatus]:
        """The batches that there are, the newest first, a moment late; the next page is `before` the last one's `id`.

        Raises `InvalidArguments`.
        """
        return batches.listed(self.store, before, limit)

    def batch_awaited_by(self, batch: Batch | int) -> list[Waited]:
        """The jobs that wait for the end of a batch, the first of them: its `then`, and those that run after it."""
        return found.awaited_by(self.store, int(batch_id(batch) or 0))

    def now_ms(self) -> int:
        """The time by the store's clock, in milliseconds since 1970."""
        return int(self.store.look("now")[0][0])

    def count_jobs(self, wanted: JobFilter, most: int = MOST_COUNTED) -> Counted:
        """How many jobs fit a filter: by counters, a few seconds late, where it names no more than state, task and
        queue; else at most `most`, among twice as many that are looked at."""
        return pages.count(self.store, wanted, most)

    def job_found(self, job_id: Job | int, *, reveal: bool = False) -> JobFound | None:
        """Everything of one job; None where there is none (any more). Arguments and result are those that may be shown
        to anybody, unless they are to be `reveal`ed: that raises `MissingKey` and `SealBroken`."""
        def shown(task: str, id: int, arguments: str, result: str | None) -> tuple[str, str | None]:
            packing, _ = self.packing(task)
            return (self.shown(task, id, arguments, reveal),
                    None if result is None else result_shown(packing, id, result, reveal=reveal))

        return found.found(self.store, id_of(job_id), shown)

    def discard(self, job_id: Job | int, reason: str = "") -> bool:
        """Give up a job that waits, or is to be retried; False if there is none, or it runs or has ended."""
        return bool(self.act_on_ids("discard", [job_id], reason).done)

    def run_now(self, job_id: Job | int) -> bool:
        """Let a job that is `scheduled` or `retryable` be due now; False if there is none, or it is neither."""
        return bool(self.act_on_ids("run_now", [job_id]).done)

    def act_on_ids(self, act: str, ids: Sequence[Job | int], reason: str = "") -> Acted:
        """Do to each of these jobs what `act` says: `retry`, `cancel`, `discard` or `run_now`.

        `retry` requeues what has ended, and lets what is to be retried be due now. Raises `InvalidArguments`, also for
        more than 1,000 of them.
        """
        numbers = [id_of(each) for each in ids]
        about = ", ".join(map(str, numbers[:_NAMED])) + (" …" if len(numbers) > _NAMED else "")
        return self._told(acts.on_ids(self.store, acts.check_act(act), numbers, reason, self.retention_of), about)

    def act_on_jobs(self, act: str, wanted: JobFilter, after: str | None = None, seconds: float = 5,
                    reason: str = "") -> Acted:
        """The same to all jobs that fit a filter, which has to name a state that the act is for.

        It returns after `seconds`, or when all is done: until `after` is None it is to be called again with that.
        """
        until = self.monotonic() + seconds
        return self._told(acts.on_matching(self.store, acts.check_act(act), wanted, after, reason, self.retention_of,
                                           lambda: self.monotonic() >= until), str(wanted))

    def _told(self, acted: Acted, about: str) -> Acted:
        self.events.emit(JobsActedOn(act=acted.act, about=about, done=acted.done, asked=acted.asked,
                                     refused=acted.refused))
        return acted

    def retention_of(self, task: str) -> Retention:
        """How long the jobs of a task are kept, if this app declares it."""
        declared = self.tasks.get(task)
        return declared.rules.retention if declared else Retention()

    def rates(self, since: int, queue: str | None = None, task: str | None = None, *, span: Span | None = None
              ) -> Rates:
        """How many jobs were enqueued and ended in each minute (up to six hours) or hour since then; of all, or of a
        queue, a task. Minutes are kept for 48 hours, hours for 30 days. Raises `InvalidArguments`."""
        return rates.rates(self.store, since, queue, task, span)

    def rates_by(self, by: Literal["queue", "task"], since: int, *, span: Span | None = None) -> dict[str, Rates]:
        """The same for each queue, or each task, in which anything happened."""
        return rates.rates_by(self.store, by, since, span)

    def backlog(self) -> list[Backlog]:
        """What waits in each queue, and since when the oldest of what goes next has been due; in four statements."""
        return rates.backlog(self.store)
