"""Sampled stacks as a file of speedscope (https://www.speedscope.app), for whoever wants to look closer.

The format is the one published at `SCHEMA`: frames once, each sample as the numbers of its frames, outermost first, and
its weight. Stacks are told by how often they were met, not when, so the samples stand in the order of their frames.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
SAMPLE_MS = 10
"""What a sample stands for: they are taken a hundred times a second."""


class Frame(msgspec.Struct, frozen=True):
    """A function, by the name under which it was sampled."""

    name: str


class Shared(msgspec.Struct, frozen=True):
    """What profiles have in common."""

    frames: list[Frame]


class Sampled(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="sampled",
              rename={"start_value": "startValue", "end_value": "endValue"}):
    """One profile. A sample has the numbers of its frames in `shared`, and a weight in `unit`."""

    name: str
    samples: list[list[int]]
    weights: list[int]
    end_value: int
    start_value: int = 0
    unit: Literal["milliseconds"] = "milliseconds"


class Speedscope(msgspec.Struct, frozen=True, kw_only=True,
                 rename={"schema": "$schema", "active_profile": "activeProfileIndex"}):
    """A file."""

    shared: Shared
    profiles: list[Sampled]
    name: str
    schema: str = SCHEMA
    exporter: str = "penstock"
    active_profile: int = 0


def speedscope(name: str, stacks: Mapping[str, int]) -> Speedscope:
    """The file of some stacks (outermost frame first, joined by `;`) with how often each was met."""
    numbers: dict[str, int] = {}
    samples: list[list[int]] = []
    weights: list[int] = []
    for stack, count in sorted(stacks.items()):
        samples.append([numbers.setdefault(frame, len(numbers)) for frame in stack.split(";")])
        weights.append(count * SAMPLE_MS)
    profile = Sampled(name=name, samples=samples, weights=weights, end_value=sum(weights))
    return Speedscope(name=name, shared=Shared([Frame(frame) for frame in numbers]), profiles=[profile])
