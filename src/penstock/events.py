"""What happened, said once: the catalogue of events, and the one place that they are told from.

An event is a fact that somebody may want to hear of. Every event is logged to the logger `penstock` as well.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("penstock")


@dataclass(frozen=True, slots=True)
class Event:
    """The root of the catalogue; `level` says how loudly it is logged."""

    @property
    def level(self) -> int:
        return logging.INFO


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    worker_id: int
    queues: dict[str, int]


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    worker_id: int
    given_back: int


@dataclass(frozen=True, slots=True)
class WorkerReplaced(Event):
    """A worker found its row gone (it was rescued while it was out of reach) and started again as another."""

    lost_id: int
    worker_id: int

    @property
    def level(self) -> int:
        return logging.WARNING


@dataclass(frozen=True, slots=True)
class StaleSettle(Event):
    """An attempt ended after its lease had passed to somebody else; what it came to was dropped."""

    job_id: int
    lease: int

    @property
    def level(self) -> int:
        return logging.WARNING


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    job_id: int
    task: str
    attempt: int
    state: str
    error: str

    @property
    def level(self) -> int:
        return logging.WARNING


@dataclass(frozen=True, slots=True)
class JobSkipped(Event):
    """A job was settled as cancelled without being run; `reason` says why (`invalidated`, `deadline`, …)."""

    job_id: int
    task: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobAbandoned(Event):
    """An attempt ignored that it was to end. It was settled without it, and its slot was replaced."""

    job_id: int
    task: str
    reason: str
    abandoned: int

    @property
    def level(self) -> int:
        return logging.ERROR


@dataclass(frozen=True, slots=True)
class WorkerExhausted(Event):
    """So many attempts were abandoned that the worker drains, and is to be started again by whoever supervises it."""

    worker_id: int
    abandoned: int

    @property
    def level(self) -> int:
        return logging.ERROR


@dataclass(frozen=True, slots=True)
class JobsRescued(Event):
    """Workers stopped renewing; their jobs were made available again, or discarded where out of attempts."""

    available: int
    discarded: int

    @property
    def level(self) -> int:
        return logging.WARNING


@dataclass(frozen=True, slots=True)
class RunAdmitted(Event):
    run_id: int
    sync: str
    subject: str


@dataclass(frozen=True, slots=True)
class RunSettled(Event):
    """A run ended, or was put back to be tried again (status `pending`)."""

    run_id: int
    sync: str
    subject: str
    status: str
    error: str | None

    @property
    def level(self) -> int:
        return logging.INFO if self.error is None else logging.WARNING


@dataclass(frozen=True, slots=True)
class SubjectsFailed(Event):
    """`subjects()` of a sync raised; requests that need it for their account wait, and everything else goes on."""

    sync: str
    error: str

    @property
    def level(self) -> int:
        return logging.ERROR


@dataclass(frozen=True, slots=True)
class DeletesWithheld(Event):
    """A run left deletes out and asked for an approval (`approval_id`), which names their keys."""

    run_id: int
    sync: str
    subject: str
    layer: str
    records: int
    reason: str
    approval_id: int

    @property
    def level(self) -> int:
        return logging.WARNING


@dataclass(frozen=True, slots=True)
class AlertChanged(Event):
    """An alert began to fire, or recovered. `alert_id` is of this change, under which it is told."""

    alert_id: int
    kind: str
    about: str
    state: str
    summary: str

    @property
    def level(self) -> int:
        return logging.ERROR if self.state == "firing" else logging.INFO


@dataclass(frozen=True, slots=True)
class AlertUntold(Event):
    """A receiver of alerts failed; it is told again later."""

    alert_id: int
    receiver: str
    error: str

    @property
    def level(self) -> int:
        return logging.WARNING


@dataclass(frozen=True, slots=True)
class GateChanged(Event):
    """The gate of a key was `closed` here, or is `open` again."""

    key: str
    state: str
    reason: str | None

    @property
    def level(self) -> int:
        return logging.INFO if self.state == "open" else logging.WARNING


@dataclass(frozen=True, slots=True)
class LoopFailed(Event):
    """A step of the control plane failed; it is tried again on its next tick."""

    loop: str
    error: str

    @property
    def level(self) -> int:
        return logging.ERROR


class Events:
    """Tells events to whoever listens. A listener that fails is logged and never stops the others."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        logger.log(event.level, "%s", event)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                logger.exception("a listener failed on %s", event)
