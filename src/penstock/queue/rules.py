"""How the attempts of a task are run: what its declaration says beyond its name and arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from penstock.domain.errors import DeclarationError
from penstock.domain.jobs import Retention
from penstock.domain.retry import RetryPolicy

Ack = Literal["batch", "each"]
Delivery = Literal["at_least_once", "at_most_once"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one task. Raises `DeclarationError` with every fault.

    `timeout` bounds an attempt, `stale_after` the time between two checkpoints of it. `valid_if` is called with the
    job's arguments just before the body: false means that the job has become pointless. `ack="each"` has every attempt
    persisted before its slot takes another job; `delivery="at_most_once"` has it persisted before the body runs.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: timedelta | None = None
    stale_after: timedelta | None = None
    valid_if: Callable[..., Any] | None = None
    ack: Ack = "batch"
    delivery: Delivery = "at_least_once"
    retention: Retention = field(default_factory=Retention)
    careful: bool = field(init=False, default=False)
    watched: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        given: dict[str, object] = {"valid_if": self.valid_if, "retention": self.retention}
        faults = [] if given["valid_if"] is None or callable(given["valid_if"]) else [
            f"valid_if: expected a function of the task's arguments, got {self.valid_if!r}"]
        if not isinstance(given["retention"], Retention):
            faults.append(f"retention: expected a Retention, got {self.retention!r}")
        faults += [
            f"{name}: expected a timedelta above zero, got {value!r}" for name in ("timeout", "stale_after")
            if (value := getattr(self, name)) is not None
            and not (isinstance(value, timedelta) and value > timedelta(0))
        ]
        if self.ack not in ("batch", "each"):
            faults.append(f"ack: expected 'batch' or 'each', got {self.ack!r}")
        if self.delivery not in ("at_least_once", "at_most_once"):
            faults.append(f"delivery: expected 'at_least_once' or 'at_most_once', got {self.delivery!r}")
        if faults:
            raise DeclarationError(faults)
        # Asked for every attempt, so computed once: whether attempts are persisted one by one, and whether somebody
        # has to keep an eye on the time while one runs.
        object.__setattr__(self, "careful", self.ack == "each" or self.delivery == "at_most_once")
        object.__setattr__(self, "watched", self.timeout is not None or self.stale_after is not None)
