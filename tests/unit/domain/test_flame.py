"""Flame graphs: what is drawn is what was sampled, and nothing is wider than what called it."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.flame import MOST_FRAMES, Flame, Frame, flame, innermost, matched

STACKS = {"main;load;parse": 6, "main;load": 2, "main;write": 1, "idle": 1}
stacks = st.dictionaries(st.lists(st.sampled_from(["a", "b", "c", "<x>", "é"]), min_size=1, max_size=6).map(";".join),
                         st.integers(1, 50), max_size=25)


def of(found: Flame) -> dict[str, tuple[int, int, int]]:
    """Depth, place and width by name."""
    return {frame.name: (frame.depth, frame.at, frame.width) for frame in found.frames}


def test_the_width_of_a_frame_is_how_often_it_was_met():
    found = flame(STACKS)
    assert (found.samples, found.width, found.depth, found.left_out) == (10, 10, 3, 0)
    assert of(found) == {"idle": (0, 0, 1), "main": (0, 1, 9), "load": (1, 1, 8), "write": (1, 9, 1),
                         "parse": (2, 1, 6)}
    assert {frame.name: frame.own for frame in found.frames} == {
        "idle": 1, "main": 0, "load": 2, "write": 1, "parse": 6}


def test_a_frame_that_is_looked_at_has_the_whole_width_and_so_has_what_called_it():
    load = next(frame for frame in flame(STACKS).frames if frame.name == "load")
    found = flame(STACKS, load.id)
    assert of(found) == {"main": (0, 0, 8), "load": (1, 0, 8), "parse": (2, 0, 6)}
    assert (found.samples, found.width, found.looked_at) == (10, 8, load.id)
    assert [frame.samples for frame in found.frames] == [9, 8, 6]


def test_what_is_not_there_is_not_looked_at():
    assert flame(STACKS, "gone") == flame(STACKS)
    assert flame({}) == Flame(samples=0, width=0, depth=0, frames=[])
    assert flame({}, "gone").frames == []


def test_the_same_function_in_two_places_is_two_frames():
    found = flame({"a;x": 1, "b;x": 1})
    assert len({frame.id for frame in found.frames}) == 4


def test_what_cannot_be_seen_is_counted_and_not_drawn():
    found = flame({"main": 100_000, "main;rare;deep": 1})
    assert [frame.name for frame in found.frames] == ["main"]
    assert found.left_out == 1


def test_of_too_many_frames_the_widest_are_drawn_and_each_has_its_caller():
    found = flame({f"main;f{number};g{number}": 1 for number in range(1500)})
    assert len(found.frames) == MOST_FRAMES
    assert found.left_out == 3001 - MOST_FRAMES
    callers = {frame.id for frame in found.frames}
    assert all(frame.parent is None or frame.parent in callers for frame in found.frames)


def test_a_text_is_found_in_names_whatever_its_case_and_never_across_two():
    assert matched(STACKS, "LOAD") == 8
    assert matched(STACKS, "a") == 9
    assert matched(STACKS, "main;load") == 0
    assert matched({}, "a") == 0


def test_functions_are_told_by_how_often_samples_ended_in_them():
    assert innermost(STACKS) == [("parse", 6, 6), ("load", 2, 8), ("idle", 1, 1), ("write", 1, 1)]
    assert innermost({"f;f;f": 2}, most=1) == [("f", 2, 2)]
    assert innermost({}) == []


@given(stacks, st.integers(0, 30))
def test_what_a_frame_called_lies_within_it_and_apart(counted: dict[str, int], pick: int):
    every = flame(counted).frames
    look_at = every[pick].id if pick < len(every) else None
    found = flame(counted, look_at)
    assert found.samples == sum(counted.values())
    frames = {frame.id: frame for frame in found.frames}
    called: dict[str | None, list[Frame]] = {}
    for frame in found.frames:
        called.setdefault(frame.parent, []).append(frame)
    for parent, mine in called.items():
        at, end = (frames[parent].at, frames[parent].at + frames[parent].width) if parent else (0, found.width)
        assert sum(frame.width for frame in mine) <= end - at
        for frame in sorted(mine, key=lambda each: each.at):
            assert frame.at >= at
            at = frame.at + frame.width
        assert at <= end
        if parent and look_at is None:
            assert frames[parent].own == frames[parent].width - sum(frame.width for frame in mine)
