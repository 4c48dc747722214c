"""Waiting, written once for threads and for event loops.

What may have to wait is a generator of *steps*: a number is that of seconds to let go by, a function is to be called
where it may block, a future with seconds is to be waited for, at most so long. `drive` and `adrive` take the steps; no
connection to the store is held meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, wait
from typing import Any, TypeVar

T = TypeVar("T")
Until = tuple[Future[None], float]
Step = float | Callable[[], Any] | Until
Steps = Generator[Step, Any, T]
_REAL_SLEEP = getattr(time.sleep, "__wrapped__", time.sleep)
_MOMENT_SECONDS = 0.001
_LONGEST_SECONDS = 0.25  # between two looks whether the work is to end


class Patience:
    """How long somebody waits, and what may end the wait before: `check` raises."""

    def __init__(self, seconds: float, monotonic: Callable[[], float], check: Callable[[], object] | None) -> None:
        self._monotonic = monotonic
        self._until = monotonic() + seconds
        self._check = check
        self.waited = 0.0

    def left(self) -> float:
        return self._until - self._monotonic()

    def sleep(self, seconds: float) -> Steps[None]:
        """Let seconds go by, and look now and then whether to go on."""
        began = self._monotonic()
        end = began + seconds
        while (left := end - self._monotonic()) > 0:
            if self._check is not None:
                self._check()
            yield min(left, _LONGEST_SECONDS)
        self.waited += self._monotonic() - began

    def until(self, future: "Future[None]") -> Steps[None]:
        """Let the future come."""
        while not future.done():
            yield from self.glance(future, _LONGEST_SECONDS)

    def glance(self, future: "Future[None]", seconds: float) -> Steps[None]:
        """Let the future come, or seconds go by."""
        if self._check is not None:
            self._check()
        began = self._monotonic()
        yield future, seconds
        self.waited += self._monotonic() - began


Waits = Callable[[bool], object]
"""Told when a wait begins (True) and when it is over."""


def drive(steps: Steps[T], sleep: Callable[[float], object], waits: Waits = lambda begins: None) -> T:
    """Take the steps on this thread."""
    answer: Any = None
    waiting = False
    try:
        step = next(steps)
        waits(True)
        waiting = True
        while True:
            if isinstance(step, tuple):
                _glance(*step, sleep)
                answer = None
            elif callable(step):
                try:
                    answer = step()
                except BaseException as error:
                    step = steps.throw(error)
                    continue
            else:
                sleep(step)
                answer = None
            step = steps.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        if waiting:
            waits(False)
        steps.close()


def _is_real(sleep: Callable[[float], object]) -> bool:
    """Whether it lets real time go by, also if an instrument that tells traces of it was put around it since."""
    return getattr(sleep, "__wrapped__", sleep) is _REAL_SLEEP


def _glance(future: "Future[None]", seconds: float, sleep: Callable[[float], object]) -> None:
    """Wait for what another thread brings. Where time is a test's own, it goes on only as that is slept."""
    if _is_real(sleep):
        wait([future], seconds)
    elif not wait([future], _MOMENT_SECONDS).done:
        sleep(seconds)


async def adrive(steps: Steps[T], threads: Callable[[], Executor], sleep: Callable[[float], object],
                 waits: Waits = lambda begins: None) -> T:
    """Take the steps on an event loop, which goes on meanwhile; `threads` give those that may block. A `sleep` of a
    test's own passes its time."""
    loop = asyncio.get_running_loop()
    answer: Any = None
    waiting = False
    try:
        step = next(steps)
        waits(True)
        waiting = True
        while True:
            try:
                if isinstance(step, tuple):
                    await asyncio.wait([asyncio.wrap_future(step[0])], timeout=step[1])
                    answer = None
                elif callable(step):
                    answer = await loop.run_in_executor(threads(), step)
                else:
                    if not _is_real(sleep):
                        sleep(step)
                        step = 0.0
                    await asyncio.sleep(step)
                    answer = None
            except BaseException as error:
                step = steps.throw(error)
                continue
            step = steps.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        if waiting:
            waits(False)
        steps.close()
