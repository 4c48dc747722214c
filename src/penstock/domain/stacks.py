"""What a worker's slots are doing at one moment: the answer to whoever asked for it."""

from typing import Literal

import msgspec

Runs = Literal["thread", "loop", "process"]


class SlotStack(msgspec.Struct, frozen=True):
    """What one slot is doing. `frames` are `function (file:line)`, the outermost first, and hold no value of anything;
    of a body that `runs` in a process of its own (its `pid`) there are none where that did not answer, as while native
    code holds the interpreter."""

    job_id: int
    task: str
    runs: Runs
    running_ms: int
    frames: tuple[str, ...] = ()
    pid: int | None = None


class Stacks(msgspec.Struct, frozen=True):
    """The stacks of a worker. `left` is how many slots more there were than are told of."""

    slots: tuple[SlotStack, ...]
    left: int = 0
