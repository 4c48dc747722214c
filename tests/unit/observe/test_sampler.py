"""What takes long is sampled, on threads and event loops, and is told by its stacks."""

import asyncio
import threading

import pytest

from penstock.observe import sampler as module
from penstock.observe.sampler import LASTING_NS, OTHERS, Running, Sampler
from penstock.observe.trace import Trace


@pytest.fixture
def sampler() -> Sampler:
    """One whose thread is not begun: tests sample themselves."""
    found = Sampler()
    found._thread = threading.current_thread()
    return found


def lasting(name: str = "t") -> Trace:
    trace = Trace("task", name)
    trace.began -= 2 * LASTING_NS
    return trace


class Busy:
    """A thread inside of a function, until it is told to go on."""

    def __init__(self) -> None:
        self.inside, self.go = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.outer)

    def outer(self) -> None:
        self.inner()

    def inner(self) -> None:
        self.inside.set()
        self.go.wait(60)

    def __enter__(self) -> "Busy":
        self.thread.start()
        assert self.inside.wait(60)
        return self

    def __exit__(self, *exception: object) -> None:
        self.go.set()
        self.thread.join(60)


def test_a_thread_that_takes_long_is_sampled_and_the_trace_inside_counts_it_too(sampler: Sampler):
    outer, inner = lasting(), lasting()
    outer.inner = inner
    with Busy() as busy:
        assert busy.thread.ident is not None
        running = Running(outer, busy.thread.ident)
        sampler.watch(running)
        assert [sampler.sample(), sampler.sample()] == [1, 1]
        sampler.leave(running)
        assert sampler.sample() == 0
    assert outer.flame == inner.flame
    assert outer.flame is not None
    ((stack, count),) = outer.flame.items()
    assert stack.startswith("test_sampler.Busy.outer;test_sampler.Busy.inner")
    assert count == 2


def test_what_has_not_taken_long_or_is_idle_is_not_sampled(sampler: Sampler):
    new, idle = Trace("task", "t"), lasting()
    idle.began = 0
    for trace in (new, idle):
        sampler.watch(Running(trace, threading.get_ident()))
    assert sampler.sample() == 0
    assert (new.flame, idle.flame) == (None, None)


def test_a_coroutine_is_told_by_what_it_awaits_and_by_its_frames_while_it_runs(sampler: Sampler):
    trace = lasting()

    async def inner(event: asyncio.Event) -> None:
        sampler.sample()
        await event.wait()

    async def outer(event: asyncio.Event) -> None:
        await inner(event)

    async def main() -> None:
        event = asyncio.Event()
        task = asyncio.create_task(outer(event))
        sampler.watch(Running(trace, threading.get_ident(), task))
        await asyncio.sleep(0)
        sampler.sample()
        event.set()
        await task

    asyncio.run(main())
    assert trace.flame is not None
    place = "test_a_coroutine_is_told_by_what_it_awaits_and_by_its_frames_while_it_runs"
    prefix = f"test_sampler.{place}.outer;test_sampler.{place}.inner"
    assert sorted(stack.removeprefix(prefix).split(";")[1] for stack in trace.flame) == [
        "locks.Event.wait", "sampler.Sampler.sample"]


def test_stacks_stay_few(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_STACKS", 3)
    trace = Trace("task", "t")
    for number in range(10):
        module._count(trace, f"a;b{number}")
    assert trace.flame == {"a;b0": 1, "a;b1": 1, "a;b2": 1, OTHERS: 7}


def test_a_stack_counted_while_somebody_goes_through_the_counts_leaves_them_as_they_were():
    trace = lasting()
    module._count(trace, "a;b")
    assert trace.flame is not None
    going = iter(trace.flame.items())
    for stack in ("a;b", "a;c"):  # looked at just before the trace ended, counted just after
        module._count(trace, stack)
    assert list(going) == [("a;b", 1)]
    assert trace.flame == {"a;b": 2, "a;c": 1}


def test_its_thread_samples_by_itself_and_ends_when_nothing_is_watched():
    sampler, trace = Sampler(), lasting()
    with Busy() as busy:
        assert busy.thread.ident is not None
        running = Running(trace, busy.thread.ident)
        sampler.watch(running)
        sampler.watch(running)
        thread = sampler._thread
        assert thread is not None
        while sampler.samples < 2:
            busy.go.wait(0.001)
        sampler.leave(running)
        sampler.rest()
        thread.join(60)
        assert not thread.is_alive()
        sampler.watch(running)
        assert sampler._thread is not None
        sampler._thread.join(0)
        sampler.leave(running)
        sampler.rest()


def test_its_thread_has_ended_when_it_rests_with_nothing_to_watch():
    sampler = Sampler()
    one, other = (Running(lasting(), threading.get_ident()) for _ in range(2))
    for _ in range(20):
        sampler.watch(one)
        sampler.watch(other)
        thread = sampler._thread
        assert thread is not None
        sampler.leave(one)
        sampler.rest()
        assert thread.is_alive(), "something is still watched"
        sampler.leave(other)
        sampler.rest()
        assert not thread.is_alive()
