"""What another thread is in, walked while it goes on."""

import sys
import threading
from functools import partial
from pathlib import Path

from penstock.observe import frames
from tests.processes import python
from tests.waiting import until


def test_a_thread_is_told_from_the_innermost_frame_to_the_outermost_and_no_more_than_asked_for():
    inside, go = threading.Event(), threading.Event()

    def inner() -> None:
        inside.set()
        go.wait(60)

    def outer() -> None:
        inner()

    thread = threading.Thread(target=outer)
    thread.start()
    try:
        assert inside.wait(60)
        assert thread.ident is not None
        until_ours = [code.co_name for code in frames.codes(thread.ident, 60)]
        assert until_ours[-5:] == ["inner", "outer", "run", "_bootstrap_inner", "_bootstrap"]
        places = [(code.co_name, line) for code, line in frames.places(thread.ident, 60)]
        assert [name for name, _ in places] == until_ours
        assert ("inner", inner.__code__.co_firstlineno + 2) in places
        assert [code.co_name for code in frames.codes(thread.ident, 2)] == until_ours[:2]
        assert len(frames.places(thread.ident, 1)) == 1
    finally:
        go.set()
        thread.join(60)


def test_one_that_has_ended_is_in_nothing():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join(60)
    assert thread.ident is not None
    assert frames.codes(thread.ident, 60) == []


def test_no_other_thread_runs_while_one_is_walked():
    """What a walk tells of each frame is the count that another thread goes on with: within a walk it stays as it is.

    That it would not, if a single instruction of Python code were in the walk, the second half shows.
    """
    class Counted:
        ticks = 0
        over = False

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        while not Counted.over:
            Counted.ticks += 1

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=deep, args=(40,))
    thread.start()
    try:
        sys.setswitchinterval(1e-6)
        assert thread.ident is not None
        seen: set[int] = set()
        for _ in range(2_000):
            ticks = set(frames._walked(thread.ident, partial(getattr, Counted, "ticks"), 60))
            assert len(ticks) == 1
            seen |= ticks
        assert len(seen) > 1, "it went on between the walks"
        id = thread.ident
        until("it goes on within a walk through Python code",
              lambda: len(set(frames._walked(id, lambda frame: Counted.ticks, 60))) > 1)
    finally:
        Counted.over = True
        sys.setswitchinterval(interval)
        thread.join(60)


COLLECTING = """
import gc, sys, threading, time
from penstock.observe import frames

end = time.monotonic() + 1
gc.set_threshold(2)
sys.setswitchinterval(1e-5)

class Cycle:
    def __init__(self):
        self.me, self.local = self, threading.local()
        self.local.value = 1

    def __del__(self):
        for _ in range(100):
            pass

def deep(levels):
    Cycle()
    if levels:
        deep(levels - 1)

def work():
    while time.monotonic() < end:
        deep(5)

def begin_and_end():
    while time.monotonic() < end:
        thread = threading.Thread(target=deep, args=(3,))
        thread.start()
        thread.join()

threads = [threading.Thread(target=each, daemon=True) for each in (work, work, begin_and_end, begin_and_end)]
for thread in threads:
    thread.start()
while time.monotonic() < end:
    for thread in threads:
        frames.codes(thread.ident, 60)
print("looked")
"""


def test_a_look_at_all_threads_does_not_lock_up_with_a_collection_of_garbage(tmp_path: Path):
    with python(COLLECTING, folder=tmp_path) as child:
        child.line("looked")
