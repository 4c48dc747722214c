"""Files of speedscope, held against what its published schema asks of them."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.speedscope import speedscope

_UNITS = ("bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds")
_FILE = {"$schema": str, "profiles": list, "shared": dict}
_MAY = {"activeProfileIndex": int, "exporter": str, "name": str}
_PROFILE = {"endValue": int, "name": str, "samples": list, "startValue": int, "type": str, "unit": str, "weights": list}


def has(found: dict[str, Any], required: dict[str, type], may: dict[str, type] | None = None) -> None:
    """These members with these types, and no others but those that there may be."""
    known = {**required, **(may or {})}
    assert set(required) <= set(found) <= set(known)
    assert all(isinstance(value, known[name]) for name, value in found.items())


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 1000)))
def test_a_file_is_as_its_schema_says(stacks: dict[str, int]):
    found = msgspec.json.decode(msgspec.json.encode(speedscope("nightly", stacks)))
    has(found, _FILE, _MAY)
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    has(found["shared"], {"frames": list})
    for frame in found["shared"]["frames"]:
        has(frame, {"name": str})
    (profile,) = found["profiles"]
    has(profile, _PROFILE)
    assert profile["type"] == "sampled"
    assert profile["unit"] in _UNITS
    assert len(profile["samples"]) == len(profile["weights"]) == len(stacks)
    assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
    names = [frame["name"] for frame in found["shared"]["frames"]]
    assert len(set(names)) == len(names)
    told = {";".join(names[number] for number in sample): weight
            for sample, weight in zip(profile["samples"], profile["weights"], strict=True)}
    assert told == {stack: 10 * count for stack, count in stacks.items()}


def test_frames_are_told_once_and_samples_in_milliseconds():
    found = msgspec.to_builtins(speedscope("push", {"main": 2, "main;send": 30}))
    assert found["shared"] == {"frames": [{"name": "main"}, {"name": "send"}]}
    assert found["profiles"] == [{
        "type": "sampled", "name": "push", "unit": "milliseconds", "startValue": 0, "endValue": 320,
        "samples": [[0], [0, 1]], "weights": [20, 300]}]
