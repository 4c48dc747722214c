"""A worker: a process that claims jobs, runs them in its slots, and renews one row that keeps them its own."""

from penstock.worker.supervisor import Worker

__all__ = ["Worker"]
