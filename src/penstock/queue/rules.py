"""How the attempts of a task are run: what its declaration says beyond its name and arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from penstock.domain.chunks import Chunk
from penstock.domain.errors import DeclarationError
from penstock.domain.jobs import Retention
from penstock.domain.results import Result
from penstock.domain.retry import RetryPolicy

Ack = Literal["batch", "each"]
Delivery = Literal["at_least_once", "at_most_once"]
PoolName = Literal["process"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one task. Raises `DeclarationError` with every fault.

    `timeout` bounds an attempt, `stale_after` the time between two checkpoints of it. `valid_if` is called with the
    job's arguments just before the body: false means that the job has become pointless. `ack="each"` has every attempt
    persisted before its slot takes another job; `delivery="at_most_once"` has it persisted before the body runs. With
    `chunk` a call of the function receives many jobs; with `result` what bodies return is recorded. `pool="process"`
    has the body of a `def` task run in a child process.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: timedelta | None = None
    stale_after: timedelta | None = None
    valid_if: Callable[..., Any] | None = None
    ack: Ack = "batch"
    delivery: Delivery = "at_least_once"
    retention: Retention = field(default_factory=Retention)
    chunk: Chunk | None = None
    result: Result | None = None
    pool: PoolName | None = None
    careful: bool = field(init=False, default=False)
    watched: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        given: dict[str, object] = {"valid_if": self.valid_if, "retention": self.retention, "chunk": self.chunk,
                                    "result": self.result}
        faults = [] if given["valid_if"] is None or callable(given["valid_if"]) else [
            f"valid_if: expected a function of the task's arguments, got {self.valid_if!r}"]
        if not isinstance(given["retention"], Retention):
            faults.append(f"retention: expected a Retention, got {self.retention!r}")
        if not isinstance(given["result"], Result | None):
            faults.append(f"result: expected Result(), got {self.result!r}")
        faults += [
            f"{name}: expected a timedelta above zero, got {value!r}" for name in ("timeout", "stale_after")
            if (value := getattr(self, name)) is not None
            and not (isinstance(value, timedelta) and value > timedelta(0))
        ]
        if self.ack not in ("batch", "each"):
            faults.append(f"ack: expected 'batch' or 'each', got {self.ack!r}")
        if self.delivery not in ("at_least_once", "at_most_once"):
            faults.append(f"delivery: expected 'at_least_once' or 'at_most_once', got {self.delivery!r}")
        if given["chunk"] is not None and not isinstance(given["chunk"], Chunk):
            faults.append(f"chunk: expected a Chunk, such as Chunk(size=100, wait=0.5), got {self.chunk!r}")
        elif self.chunk is not None and self.delivery == "at_most_once":
            faults.append("chunk: expected delivery='at_least_once', since a call with many jobs cannot be settled"
                          " before it has said what became of each, got 'at_most_once'")
        if self.pool not in (None, "process"):
            faults.append(f"pool: expected 'process' or None, got {self.pool!r}")
        elif self.pool is not None and self.chunk is not None:
            faults.append("pool: expected threads for a task with chunk=, whose one call is told of many jobs, got"
                          " 'process': let the call enqueue jobs of a task with pool='process'")
        if faults:
            raise DeclarationError(faults)
        # Asked for every attempt, so computed once: whether attempts are persisted one by one, and whether somebody
        # has to keep an eye on the time while one runs.
        object.__setattr__(self, "careful", self.ack == "each" or self.delivery == "at_most_once")
        object.__setattr__(self, "watched", self.timeout is not None or self.stale_after is not None)
