"""What work is done for: a few names and values that go from whoever enqueues a job to the job, and on from there.

Outside of jobs a context holds within a `with` block. Inside of a job it is what the job was given, until a block there
says otherwise; a block that was begun outside of a job, as around a drain, says nothing inside of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from penstock.domain.envelope import NO_CONTEXT, Context, checked_context
from penstock.queue.attempt import Attempt, current

ambient: ContextVar[tuple[Context, Attempt | None] | None] = ContextVar("penstock_context", default=None)
"""The innermost block's context, with the attempt that it was begun in."""

in_use: set[bool] = set()
"""Not empty from the first context on that this process sees: until then no call has to look for one."""


def noted(found: Context) -> Context:
    """A context that an attempt is given."""
    if found:
        in_use.add(True)
    return found


@contextmanager
def context(**values: Any) -> Iterator[None]:
    """Say what is done within a `with` block: `with penstock.context(tenant="acme"):`.

    Jobs that are enqueued there carry it, together with what was said around it. Values are plain JSON, and come to at
    most 4 KiB in all. Raises `InvalidArguments` for others.
    """
    whole = noted(checked_context({**current_context(), **values}))
    token = ambient.set((whole, current.get(None)))
    try:
        yield
    finally:
        ambient.reset(token)


def current_context() -> Context:
    """What the calling code works for, which jobs that it enqueues will carry. Not to be changed."""
    said, attempt = ambient.get(), current.get(None)
    if said is not None and said[1] is attempt:
        return said[0]
    return NO_CONTEXT if attempt is None else attempt.context
