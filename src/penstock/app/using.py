"""The app's verbs on a caller's connection."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.app.composing import Composing
from penstock.domain.jobs import Batch, Call, Job, JobState, id_of
from penstock.events import TagsInvalidated
from penstock.queue import batches, control
from penstock.queue.enqueue import acarried_out, carried_out
from penstock.queue.together import Together

if TYPE_CHECKING:
    from penstock.app.asking import Asking


class Using(Composing):
    """The app's verbs on a caller's connection: they join its transaction, and are seen by nobody before it commits."""

    def __init__(self, app: "Asking", connection: Any) -> None:
        self._app = app
        self._connection = connection

    def enqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """Enqueue many calls in one statement."""
        return self._app.enqueue(calls, self._connection)

    async def aenqueue_many(self, calls: Iterable[Call]) -> list[Job]:
        """The same from `async` code."""
        return await self._app.aenqueue(calls, self._connection)

    def launch(self, calls: Iterable[Call], together: Together) -> list[Job]:
        return self._app.enqueue(calls, self._connection, together)

    async def alaunch(self, calls: Iterable[Call], together: Together) -> list[Job]:
        return await self._app.aenqueue(calls, self._connection, together)

    def batch_number(self) -> int:
        return self._app.batch_number(self._connection)

    async def abatch_number(self) -> int:
        return await self._app.abatch_number(self._connection)

    def close_batch(self, batch: Batch | int) -> None:
        """See `Penstock.close_batch`; it takes effect when the transaction commits."""
        carried_out(self._app.store, *batches.closing(batch), self._connection)

    async def aclose_batch(self, batch: Batch | int) -> None:
        """The same from `async` code."""
        await acarried_out(self._app.store, *batches.closing(batch), self._connection)

    def invalidate(self, *tags: str) -> None:
        """See `Penstock.invalidate`; it takes effect when the transaction commits."""
        carried_out(self._app.store, *control.invalidation(tags), self._connection)
        self._app.events.emit(TagsInvalidated(tags=tags))

    async def ainvalidate(self, *tags: str) -> None:
        """The same from `async` code."""
        await acarried_out(self._app.store, *control.invalidation(tags), self._connection)
        self._app.events.emit(TagsInvalidated(tags=tags))

    def cancel(self, job_id: Job | int, reason: str = "") -> JobState | None:
        """See `Penstock.cancel`."""
        id = id_of(job_id)
        ask = control.cancellation(id, reason, self._app.retention(id))
        while control.is_to_be_asked_again(rows := carried_out(self._app.store, *ask, self._connection)):
            pass
        return self._app.was_cancelled(id, reason, rows)

    async def acancel(self, job_id: Job | int, reason: str = "") -> JobState | None:
        """The same from `async` code."""
        id = id_of(job_id)
        ask = control.cancellation(id, reason, self._app.retention(id))
        while control.is_to_be_asked_again(rows := await acarried_out(self._app.store, *ask, self._connection)):
            pass
        return self._app.was_cancelled(id, reason, rows)
