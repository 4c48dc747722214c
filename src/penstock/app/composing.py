"""Chains, workflows and batches: verbs of whatever enqueues, with a connection of the caller's or without."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from penstock.domain.jobs import Batch, Call, Job
from penstock.queue.together import Launchable, OnFailure, Step, Together, arranged, chained, gathered


class Composing:
    """What is enqueued together, in one statement, by what `launch` and `batch_number` say."""

    launch: Callable[[Iterable[Call], Together], list[Job]]
    alaunch: Callable[[Iterable[Call], Together], Awaitable[list[Job]]]
    batch_number: Callable[[], int]
    abatch_number: Callable[[], Awaitable[int]]

    def chain(self, calls: Iterable[Call], *, on_failure: OnFailure = "cancel") -> list[Job]:
        """Enqueue calls of which each runs after the one before it; the jobs come in their order.

        Where one does not complete, those after it are cancelled, or run all the same (`on_failure="run"`).
        """
        return self.launch(*chained(calls, on_failure))

    async def achain(self, calls: Iterable[Call], *, on_failure: OnFailure = "cancel") -> list[Job]:
        """The same from `async` code."""
        return await self.alaunch(*chained(calls, on_failure))

    def workflow(self, steps: Mapping[str, Call | Step]) -> dict[str, Job]:
        """Enqueue steps, by their names: each a call, or a `Step` with the names of those that it runs after.

        Raises `InvalidArguments` for a name that is none, and for a cycle, before anything is written.
        """
        return dict(zip(steps, self.launch(*arranged(steps)), strict=True))

    async def aworkflow(self, steps: Mapping[str, Call | Step]) -> dict[str, Job]:
        """The same from `async` code."""
        return dict(zip(steps, await self.alaunch(*arranged(steps)), strict=True))

    def batch(self, calls: Iterable[Call] = (), then: Call | Launchable | None = None, *, open: bool = False) -> Batch:
        """Enqueue calls as a batch. When all of its jobs have ended for good, well or not, `then` is run, once.

        `then` is a call, or a task (`task.using(…)` too) that is given the id of the batch. The jobs may add others to
        their batch: `task.using(batch=id)`. With `open`, so may anybody, until `close_batch`: it ends no sooner. See
        docs/batches.md.
        """
        id = self.batch_number()
        listed, together = gathered(id, calls, then, open=open)
        return _batch(id, self.launch(listed, together), together)

    async def abatch(self, calls: Iterable[Call] = (), then: Call | Launchable | None = None, *,
                     open: bool = False) -> Batch:
        """The same from `async` code."""
        id = await self.abatch_number()
        listed, together = gathered(id, calls, then, open=open)
        return _batch(id, await self.alaunch(listed, together), together)


def _batch(id: int, jobs: list[Job], together: Together) -> Batch:
    return Batch(id, tuple(jobs[:together.members]), *jobs[together.members:])
