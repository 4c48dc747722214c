"""`penstock queues`, over the app that the documentation of admission shows."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Written

PAGE = Path(__file__).parents[2] / "docs" / "admission.md"


@pytest.fixture
def penstock(written: Written) -> Iterator[Command]:
    """Runs a command on the documented app, and gives its exit code and what it printed."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    command = written("shipping", example[1])

    yield command
    sys.modules["shipping"].app.close()


def test_what_the_page_pauses_is_listed_and_goes_on_when_it_is_resumed(penstock) -> None:
    code, out, _ = penstock("queues")
    assert code == 0
    assert re.fullmatch(r"no jobs in any queue\npaused since [0-9 :+-]+: key serial:__main__.ship:7\n", out)
    key = "serial:__main__.ship:7"
    assert penstock("queues", "resume", "--key", key) == (0, f"key {key} goes on\n", "")
    assert penstock("queues", "resume", "--key", key) == (0, f"nothing to do: key {key} was not paused\n", "")


def test_queues_are_listed_with_their_jobs_and_pauses(penstock) -> None:
    assert penstock("queues", "pause", "default") == (0, "queue default is paused\n", "")
    sys.modules["shipping"].ship.enqueue(7)
    found = json.loads(penstock("queues", "--json")[1])
    assert found["queues"] == {"default": {"pending": 1}}
    assert {"queue": "default"}.items() <= next(each for each in found["paused"] if "queue" in each).items()
    headings, default, *_ = penstock("queues")[1].splitlines()
    assert headings == "QUEUE    WAITING  OLDEST  RUNNING  LATER  COMPLETED  DISCARDED  STATE"
    assert default == "default        1       -        0      0          0          0  paused"
    code, _, err = penstock("queues", "pause", "default", "--key", "serial:x:1")
    assert (code, "exactly one" in err) == (2, True)
