"""The loops of a worker's control plane: woken, rested, and hurried."""

import threading

from penstock.events.telling import Events
from penstock.worker.loop import Loop


def test_a_loop_that_is_hurried_does_not_rest_before_its_next_step():
    steps = threading.Semaphore(0)

    def step() -> float:
        steps.release()
        return 1000.0

    loop = Loop("test", step, Events(), rest_seconds=1000.0)
    loop.start()
    try:
        assert steps.acquire(timeout=60)
        loop.wake()
        assert not steps.acquire(timeout=0.02), "it rests, however often it is woken"
        loop.hurry()
        assert steps.acquire(timeout=60)
        loop.hurry()
        assert steps.acquire(timeout=60)
    finally:
        loop.close()
