"""The app's verbs on a caller's connection."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.domain.jobs import Call, Job, JobState
from penstock.queue import control
from penstock.queue.enqueue import acarried_out, carried_out

if TYPE_CHECKING:
    from penstock.app.asking import Asking


class Using:
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

    def invalidate(self, *tags: str) -> None:
        """See `Penstock.invalidate`; it takes effect when the transaction commits."""
        carried_out(self._app.store, *control.invalidation(tags), self._connection)

    async def ainvalidate(self, *tags: str) -> None:
        """The same from `async` code."""
        await acarried_out(self._app.store, *control.invalidation(tags), self._connection)

    def cancel(self, job_id: int, reason: str = "") -> JobState | None:
        """See `Penstock.cancel`."""
        ask = control.cancellation(job_id, reason, self._app.retention(job_id))
        return control.cancelled(carried_out(self._app.store, *ask, self._connection))

    async def acancel(self, job_id: int, reason: str = "") -> JobState | None:
        """The same from `async` code."""
        ask = control.cancellation(job_id, reason, self._app.retention(job_id))
        return control.cancelled(await acarried_out(self._app.store, *ask, self._connection))
