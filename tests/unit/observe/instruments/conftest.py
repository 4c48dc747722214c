"""A trace that is active, and instruments that are removed again."""

import contextlib
from collections.abc import Iterator

import pytest

from penstock.domain.traces import CallSeen, StatementSeen
from penstock.observe import instruments
from penstock.observe.trace import Trace, active


@contextlib.contextmanager
def traced() -> Iterator[Trace]:
    """A trace around what is done within."""
    trace = Trace("trace", "test")
    token = active.set(trace)
    try:
        yield trace
    finally:
        active.reset(token)
        trace.end()


def statements(trace: Trace) -> list[StatementSeen]:
    """What a trace has seen, in the order in which it was seen first; parameters and all."""
    trace.end()
    return [each.seen("all") for each in trace.statements.values()]


def statement(trace: Trace) -> StatementSeen:
    """The one statement that it has seen."""
    (found,) = statements(trace)
    return found


def call(trace: Trace) -> CallSeen:
    (found,) = [each.seen() for each in trace.calls.values()]
    return found


@pytest.fixture(autouse=True)
def removed() -> Iterator[None]:
    """Each test begins and ends without instruments."""
    assert not instruments.installed()
    yield
    instruments.uninstrument()


@pytest.fixture
def trace() -> Iterator[Trace]:
    with traced() as trace:
        yield trace
