"""What is slept is a phase of its own; what Penstock itself waits for is not."""

import asyncio
import time

import pytest

from penstock.limits.steps import adrive, drive
from penstock.observe.instruments import instrument, uninstrument
from penstock.observe.trace import SLEPT, Trace, active
from tests.phases import phases_add_up
from tests.unit.observe.instruments.conftest import traced


def test_what_is_slept_counts(trace: Trace) -> None:
    async def main() -> None:
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.01, "result"))

    instrument("sleep")
    time.sleep(0.01)
    asyncio.run(main())
    trace.end()
    assert trace.phases[SLEPT] >= 19_000_000
    assert phases_add_up([ns // 1000 for ns in trace.phases], trace.took_ns // 1000)


def test_errors_and_removal() -> None:
    before = time.sleep, asyncio.sleep, asyncio.tasks.sleep
    instrument("sleep")
    with traced() as trace:
        with pytest.raises(ValueError, match="non-negative"):
            time.sleep(-1)
        assert trace.phases[SLEPT] == 0 or len(trace._entered) == 1
    uninstrument("sleep")
    assert (time.sleep, asyncio.sleep, asyncio.tasks.sleep) == before


def test_a_permit_that_is_waited_for_is_no_sleep(trace: Trace) -> None:
    sleeping = time.sleep
    instrument("sleep")
    for given in (sleeping, time.sleep):  # what the app took before and after
        drive(iter_of(0.002), given)
        asyncio.run(awaited(given))
    assert active.get() is trace
    assert trace.phases[SLEPT] == 0


def iter_of(seconds: float):  # type: ignore[no-untyped-def]
    yield seconds


async def awaited(sleep) -> None:  # type: ignore[no-untyped-def]
    """The loop goes on while it is waited: so it was not slept with the thread's own sleep."""
    ticks: list[int] = []
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, ticks.append, 1)
    await adrive(iter_of(0.01), lambda: None, sleep)  # type: ignore[arg-type, return-value]
    assert ticks
