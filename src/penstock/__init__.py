"""Penstock keeps other people's APIs in step with your database, and runs the rest of your background jobs."""

from penstock.app import Penstock
from penstock.domain.errors import PenstockError
from penstock.domain.jobs import Job
from penstock.domain.limits import Quota, Rate, Window
from penstock.domain.retry import RetryPolicy

__all__ = [
    "Job",
    "Penstock",
    "PenstockError",
    "Quota",
    "Rate",
    "RetryPolicy",
    "Window",
]
