"""Penstock keeps other people's APIs in step with your database, and runs the rest of your background jobs."""

from penstock.app import Penstock, Report
from penstock.domain.alerts import Alert, Alerts
from penstock.domain.errors import PenstockError
from penstock.domain.jobs import Job, JobState, Retention
from penstock.domain.limits import Concurrency, Quota, Rate, Window
from penstock.domain.retry import RetryPolicy
from penstock.domain.signals import Cancel, Retry, Snooze
from penstock.domain.unique import Unique
from penstock.queue.attempt import current_job

__all__ = [
    "Alert",
    "Alerts",
    "Cancel",
    "Concurrency",
    "Job",
    "JobState",
    "Penstock",
    "PenstockError",
    "Quota",
    "Rate",
    "Report",
    "Retention",
    "Retry",
    "RetryPolicy",
    "Snooze",
    "Unique",
    "Window",
    "current_job",
]
