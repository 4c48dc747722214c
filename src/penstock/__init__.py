"""Penstock keeps other people's APIs in step with your database, and runs the rest of your background jobs."""

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
