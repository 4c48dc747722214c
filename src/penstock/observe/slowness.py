"""Which statements of a trace are so slow that somebody ought to ask the planner, while their parameters are at hand.
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from penstock.domain.fingerprint import fingerprint
from penstock.domain.traces import is_control
from penstock.observe.statements import Statement
from penstock.observe.trace import OTHERS, Trace

CALL_NS, TOTAL_NS = 100_000_000, 1_000_000_000
_AGAIN_SECONDS = 300.0
_MOST = 1000
_OTHERS = fingerprint(OTHERS)


class Told(NamedTuple):
    """A slow statement, as its driver was given it, with the parameters of some executions: the first, some of the
    middle and the last by position in the trace, and the slowest last of all, if it is none of them."""

    kind: str
    name: str
    fingerprint: str
    text: str
    driver: str
    database: str | None
    calls: int
    total_us: int
    max_us: int
    parameters: list[Any]


def slow_statements(trace: Trace, told: dict[tuple[str, str | None], float]) -> Iterator[Told]:
    """Those of which one call took 0.1 s, or all of them a second; each at most once in five minutes, by `told`."""
    for statement in list(trace.statements.values()):  # a thread that it was lent to may be at work still
        if (statement.max_ns < CALL_NS and statement.total_ns < TOTAL_NS) or is_control(statement.text):
            continue
        key, now = (statement.fingerprint, statement.database), time.monotonic()
        if statement.fingerprint == _OTHERS or now - told.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
            continue
        if len(told) >= _MOST:
            told.clear()
        told[key] = now
        yield _told(trace, statement)


def _told(trace: Trace, statement: Statement) -> Told:
    return Told(trace.kind, trace.name, statement.fingerprint, statement.text, statement.driver, statement.database,
                statement.calls, statement.total_ns // 1000, statement.max_ns // 1000,
                [mark.parameters for mark in statement.examples()])
