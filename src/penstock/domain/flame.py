"""A flame graph as rectangles: sampled stacks, laid out so that the width of a frame is its number of samples.

What a frame called lies above it and within its width, so the widths of its children never exceed its own; what is left
is the time in which it was the innermost. Positions and widths are whole samples, so that nothing is lost by rounding.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

MOST_FRAMES = 2000
_LEAST = 2000
"""A frame that is narrower than one of so many parts of the whole cannot be seen, nor can those above it."""

Stacks = Mapping[str, int]
"""How often each stack was met: outermost frame first, joined by `;`."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One rectangle. `id` names its place among all stacks, `parent` that of the frame that called it.

    It begins at `at` and is `width` wide, in samples of what is drawn; `depth` counts from 0. `samples` is how often it
    was met, `own` how often as the innermost. They differ from `width` only for what calls the frame that is looked at.
    """

    id: str
    parent: str | None
    name: str
    depth: int
    at: int
    width: int
    samples: int
    own: int


class Flame(msgspec.Struct, frozen=True, kw_only=True):
    """A flame graph. `samples` are all that there are, `width` those that are drawn: those of `looked_at`, if any frame
    is. `left_out` counts frames that would be too narrow to be seen (not those above them), `depth` the rows."""

    samples: int
    width: int
    depth: int
    frames: list[Frame]
    looked_at: str | None = None
    left_out: int = 0


class _Node:
    """A frame with what it called."""

    __slots__ = ("called", "id", "name", "own", "samples")

    def __init__(self, name: str, id: str) -> None:
        self.name, self.id = name, id
        self.samples = self.own = 0
        self.called: dict[str, _Node] = {}


def flame(stacks: Stacks, look_at: str | None = None) -> Flame:
    """The rectangles of stacks, callers first; those of one frame and what calls it, if `look_at` is its id.

    Frames of one caller stand in the order of their names, so that the same work looks the same again. At most
    `MOST_FRAMES` are drawn, the widest. An id that is not there (any more) is as none.
    """
    root = _tree(stacks)
    path = _path(root, look_at)
    width = path[-1].samples if path else root.samples
    drawn: list[Frame] = [Frame(id=node.id, parent=path[depth - 1].id if depth else None, name=node.name, depth=depth,
                                at=0, width=width, samples=node.samples, own=node.own)
                          for depth, node in enumerate(path)]
    left_out = _draw(path[-1] if path else root, width, len(path), drawn)
    if len(drawn) > MOST_FRAMES:  # a caller is as wide as what it called, and comes before it
        left_out += len(drawn) - MOST_FRAMES
        drawn = sorted(drawn, key=lambda frame: (-frame.width, frame.depth))[:MOST_FRAMES]
        drawn.sort(key=lambda frame: (frame.depth, frame.at))
    return Flame(samples=root.samples, width=width, frames=drawn, left_out=left_out,
                 depth=max((frame.depth + 1 for frame in drawn), default=0), looked_at=path[-1].id if path else None)


def matched(stacks: Stacks, text: str) -> int:
    """In how many samples a frame was met whose name has a text in it, whatever its case."""
    wanted = text.casefold()
    return sum(count for stack, count in stacks.items() if wanted in stack.casefold()
               and any(wanted in name.casefold() for name in stack.split(";")))


def innermost(stacks: Stacks, most: int = 15) -> list[tuple[str, int, int]]:
    """The functions in which most samples ended: name, samples in which it was the innermost, and in which it was at
    all."""
    own: dict[str, int] = {}
    within: dict[str, int] = {}
    for stack, count in stacks.items():
        names = stack.split(";")
        own[names[-1]] = own.get(names[-1], 0) + count
        for name in set(names):
            within[name] = within.get(name, 0) + count
    found = sorted(own.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [(name, count, within[name]) for name, count in found]


def _tree(stacks: Stacks) -> _Node:
    root = _Node("", "")
    for stack, count in stacks.items():
        if count <= 0:
            continue
        node = root
        node.samples += count
        for name in stack.split(";"):
            below = node.called.get(name)
            if below is None:
                below = node.called[name] = _Node(name, _id(node.id, name))
            node = below
            node.samples += count
        node.own += count
    return root


def _id(parent: str, name: str) -> str:
    return blake2b(f"{parent};{name}".encode("utf-8", "replace"), digest_size=6).hexdigest()


def _path(root: _Node, look_at: str | None) -> list[_Node]:
    """From the outermost frame to the one that is looked at; empty where there is none such."""
    if not look_at:
        return []
    waiting = [[node] for node in root.called.values()]
    while waiting:
        path = waiting.pop()
        if path[-1].id == look_at:
            return path
        waiting += [[*path, node] for node in path[-1].called.values()]
    return []


def _draw(root: _Node, whole: int, depth: int, into: list[Frame]) -> int:
    """Add the frames above one, row by row; gives how many were too narrow."""
    row = [(root, 0)]
    left_out = 0
    while row:
        above: list[tuple[_Node, int]] = []
        for node, at in row:
            for called in sorted(node.called.values(), key=lambda each: each.name):
                if called.samples * _LEAST >= whole:
                    into.append(Frame(id=called.id, parent=node.id or None, name=called.name, depth=depth, at=at,
                                      width=called.samples, samples=called.samples, own=called.own))
                    above.append((called, at))
                else:
                    left_out += 1
                at += called.samples
        row, depth = above, depth + 1
    return left_out
