"""Pools of processes: the pipeline of an attempt stays in the worker's process, and only the body runs in a child.

So limits, leases, middleware and settling are those of threads. A child is told which of its parent's tasks to call, by
module and name, and nothing that either side reads is ever unpickled, imported or executed. It dies with its parent.
"""

from penstock.worker.processes.pool import ProcessPool, cores
from penstock.worker.processes.slot import Recycling

__all__ = ["ProcessPool", "Recycling", "cores"]
