"""An attempt at a job, as a slot has it."""

import threading

import pytest

from penstock.domain.jobs import Claimed
from penstock.queue.attempt import Attempt, Identity


@pytest.fixture
def attempt() -> Attempt:
    job = Claimed(id=7, lease=1, task="shop.send", queue="mail", arguments="{}", attempt=1, max_attempts=5)
    return Attempt(job, Identity(1, 1e12), threading.Event())
