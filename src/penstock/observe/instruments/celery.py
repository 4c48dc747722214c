"""Celery: each task is a trace by its name, from just before it runs until it is over, also where tasks run eagerly.

A task that failed is a trace that failed; one that is to be tried again is not, and its next try is the next trace.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from penstock.observe.instruments.patches import Patches
from penstock.observe.instruments.telling import fault

LIBRARY = "celery"
Begin = Callable[..., AbstractContextManager[Any]]
begin: Begin | None = None
"""`penstock.trace`, which knows where traces are kept; the floor that has it puts it here."""


class _Tasks:
    """Those that are under way, by their ids."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._traces: dict[str, AbstractContextManager[Any]] = {}
        self._errors: dict[str, BaseException] = {}

    def started(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        try:
            if begin is not None:
                trace = begin(task.name, app=self._app)
                trace.__enter__()
                self._traces[task_id] = trace
        except Exception:
            fault("celery")

    def failed(self, task_id: str = "", exception: Any = None, **_: Any) -> None:
        if task_id in self._traces and isinstance(exception, BaseException):
            self._errors[task_id] = exception

    def ended(self, task_id: str = "", **_: Any) -> None:
        error = self._errors.pop(task_id, None)
        trace = self._traces.pop(task_id, None)
        try:
            if trace is not None:
                trace.__exit__(None if error is None else type(error), error, None)
        except Exception:
            fault("celery")


def install(patches: Patches, app: Any = None) -> None:
    signals = importlib.import_module("celery.signals")

    tasks = _Tasks(app)
    for signal, receiver in ((signals.task_prerun, tasks.started), (signals.task_failure, tasks.failed),
                             (signals.task_postrun, tasks.ended)):
        signal.connect(receiver, weak=False)
        patches.finally_(partial(signal.disconnect, receiver))
