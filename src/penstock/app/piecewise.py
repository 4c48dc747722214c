"""Changes to any number of records or jobs, in bounded pieces: some at once, the rest as a job that tells its progress.

So nobody who asks for one waits long, however much it is about; it goes on though they leave, and it is looked at,
cancelled and explained as any other job. Between two pieces it may be interrupted, and goes on from there.
"""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import msgspec

from penstock.app.declaring import SYNC_QUEUE
from penstock.app.serving import Serving
from penstock.domain.errors import ConfigurationError
from penstock.domain.listing import Acted, JobFilter
from penstock.domain.retry import RetryPolicy
from penstock.queue.attempt import current
from penstock.queue.listing.acts import ACT_TASK
from penstock.queue.task import Task
from penstock.sync.declaring.requesting import Requesting
from penstock.sync.state.failures import Place
from penstock.sync.state.retrying import Retried, Subjects, Which, none_found, which
from penstock.sync.state.retrying import retry as retry_records

RETRY_TASK = "penstock.retry"
_PRIORITY = 100
"""Somebody waits for it, and it is about what is waiting: it goes before that."""
_RETRIES = RetryPolicy(max_attempts=10)
_PAGES_AT_ONCE = 5
_SECONDS_AT_ONCE = 3.0
_PIECE_SECONDS = 1.0


class Piecewise(Serving):
    """Retries records, and acts on jobs."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._retrying: Task[[str, dict[str, Any], str, Place | None], None] = self.task(
            name=RETRY_TASK, queue=SYNC_QUEUE, priority=_PRIORITY, retry=_RETRIES)(self._retry_rest)
        self._acting: Task[[str, dict[str, Any], str, str | None, list[int]], None] = self.task(
            name=ACT_TASK, queue=SYNC_QUEUE, priority=_PRIORITY, retry=_RETRIES)(self._act_on_rest)

    def retry(self, sync: str, *, error_class: str | None = None, layer: str | None = None,
              keys: Collection[str] = (), subject: str | None = None, scope: str | None = None,
              reason: str = "retry") -> Retried:
        """Let records that failed go again with the next runs of their subjects, and request those.

        Some thousands are looked at at once; where there are more, a job goes on with the rest: `Retried.job` is its
        id. `scope` is a subject, or of an account-scoped layer an account. Raises `ConfigurationError` where no record
        is meant, or all of them are since nothing says which.
        """
        if error_class is None and layer is None and subject is None:
            raise ConfigurationError("expected a class, a layer or a subject: say which records to retry")
        definition = self.definition(sync)
        wanted = which(definition, error_class=error_class, layer=layer, keys=keys,
                       subjects=[] if subject is None else [self.known_subject(sync, subject)])
        if scope is not None:
            wanted = msgspec.structs.replace(wanted, scopes={each.name: [scope] for each in definition.layers})
        done = retry_records(self.store, definition, wanted, self._requesting(sync, reason),
                             most_pages=_PAGES_AT_ONCE)
        if done.over and not done.count:
            raise none_found(definition, wanted, done.known)
        if not done.over:
            rest = self._retrying.using(queue=self._served_queue())
            done.job = rest.enqueue(sync, msgspec.to_builtins(wanted), reason, done.place).id
        self.store.wake()
        return done

    def _requesting(self, sync: str, reason: str) -> Any:
        asking = Requesting(self.definition(sync), self).using(reason=reason)

        def request(subjects: Subjects) -> None:
            asking.request_many(subjects.items())
            self.store.wake()

        return request

    def _retry_rest(self, sync: str, wanted: dict[str, Any], reason: str, after: Place | None) -> None:
        """The job: what is left of a retry, from a place on."""
        attempt = current.get()
        counted = 0
        if attempt.cursor is not None:
            after, counted = msgspec.convert(attempt.cursor, tuple[Place, int])

        def told(done: Retried) -> None:
            note = f"{counted + done.count:,} more records are due"
            if done.place is None:
                attempt.checkpoint(note=note)
            else:
                attempt.checkpoint(note=note, cursor=[done.place, counted + done.counted])

        retry_records(self.store, self.definition(sync), msgspec.convert(wanted, Which), self._requesting(sync, reason),
                      after=after, told=told)

    def act_on_all(self, act: str, wanted: JobFilter, reason: str = "") -> tuple[Acted, int | None]:
        """Do to all jobs that fit a filter what `act` says, as `act_on_jobs` does: for some seconds at once; where that
        is not enough, a job goes on with the rest, and its id is given along.

        Raises `InvalidArguments`.
        """
        acted = self.act_on_jobs(act, wanted, None, _SECONDS_AT_ONCE, reason)
        if acted.after is None:
            return acted, None
        rest = self._acting.using(queue=self._served_queue())
        return acted, rest.enqueue(act, asdict(wanted), reason, acted.after,
                                   [acted.done, acted.asked, acted.refused]).id

    def _act_on_rest(self, act: str, wanted: dict[str, Any], reason: str, after: str | None, sums: list[int]) -> None:
        """The job: what is left of an act, from a place on; `sums` are what was done, asked and refused before."""
        attempt = current.get()
        if attempt.cursor is not None:
            after, sums = msgspec.convert(attempt.cursor, tuple[str, list[int]])
        while after is not None:
            attempt.check()
            acted = self.act_on_jobs(act, JobFilter(**wanted), after, _PIECE_SECONDS, reason)
            sums = [sums[0] + acted.done, sums[1] + acted.asked, sums[2] + acted.refused]
            note = f"{act}: {sums[0]:,} done, {sums[1]:,} asked to end, {sums[2]:,} refused"
            after = acted.after
            if after is None:
                attempt.checkpoint(percent=100, note=note)
            else:
                attempt.checkpoint(cursor=[after, sums], note=note)

    def _served_queue(self) -> str:
        """A queue that somebody serves: that of syncs, else the one with the most slots, else that of syncs again."""
        slots, paused = self.live_slots(), {each.queue for each in self.paused()}
        open_slots = {queue: count for queue, count in slots.items() if queue not in paused}
        if SYNC_QUEUE in open_slots or not open_slots:
            return SYNC_QUEUE
        return max(open_slots, key=lambda queue: (open_slots[queue], queue))
