"""Penstock keeps other people's APIs in step with your database, and runs the rest of your background jobs.

The public names are imported when they are asked for: `penstock --help`, and the shell that completes a command, need
none of them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.app import Penstock, Report, trace
    from penstock.domain.alerts import Alert, Alerts
    from penstock.domain.chunks import Chunk
    from penstock.domain.errors import PenstockError
    from penstock.domain.jobs import Batch, Job, JobState, Retention
    from penstock.domain.limits import Concurrency, Quota, Rate, Window
    from penstock.domain.results import Result
    from penstock.domain.retry import RetryPolicy
    from penstock.domain.signals import Cancel, Retry, Snooze
    from penstock.domain.unique import Unique
    from penstock.observe.instruments import instrument, uninstrument
    from penstock.queue.arguments.marks import Secret
    from penstock.queue.arguments.sealing import Keyring
    from penstock.queue.attempt import current_job
    from penstock.queue.batches import BatchStatus
    from penstock.queue.chunk import ChunkJob, Jobs, Outcomes
    from penstock.queue.context import context, current_context
    from penstock.queue.together import Step

__all__ = [
    "Alert",
    "Alerts",
    "Batch",
    "BatchStatus",
    "Cancel",
    "Chunk",
    "ChunkJob",
    "Concurrency",
    "Job",
    "JobState",
    "Jobs",
    "Keyring",
    "Outcomes",
    "Penstock",
    "PenstockError",
    "Quota",
    "Rate",
    "Report",
    "Result",
    "Retention",
    "Retry",
    "RetryPolicy",
    "Secret",
    "Snooze",
    "Step",
    "Unique",
    "Window",
    "context",
    "current_context",
    "current_job",
    "instrument",
    "trace",
    "uninstrument",
]

_HOMES = {
    "app": ("Penstock", "Report", "trace"),
    "domain.alerts": ("Alert", "Alerts"),
    "domain.chunks": ("Chunk",),
    "domain.errors": ("PenstockError",),
    "domain.jobs": ("Batch", "Job", "JobState", "Retention"),
    "domain.limits": ("Concurrency", "Quota", "Rate", "Window"),
    "domain.results": ("Result",),
    "domain.retry": ("RetryPolicy",),
    "domain.signals": ("Cancel", "Retry", "Snooze"),
    "domain.unique": ("Unique",),
    "observe.instruments": ("instrument", "uninstrument"),
    "queue.arguments.marks": ("Secret",),
    "queue.arguments.sealing": ("Keyring",),
    "queue.attempt": ("current_job",),
    "queue.batches": ("BatchStatus",),
    "queue.chunk": ("ChunkJob", "Jobs", "Outcomes"),
    "queue.context": ("context", "current_context"),
    "queue.together": ("Step",),
}


if not TYPE_CHECKING:
    def __getattr__(name):
        """A public name, kept once it was asked for. Raises `AttributeError`."""
        from importlib import import_module

        for home, names in _HOMES.items():
            if name in names:
                found = globals()[name] = getattr(import_module(f"penstock.{home}"), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
