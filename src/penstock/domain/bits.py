"""A set of row ids at one bit each: which rows of a layer's state a source still has."""

from collections.abc import Iterable

_SHIFT = 15
_LOW = (1 << _SHIFT) - 1


class Bits:
    """A growing set of non-negative whole numbers. A block of 32,768 neighbours takes 4 KiB once any is in it."""

    __slots__ = ("_blocks", "_size")

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, number: int) -> bool:
        block = self._blocks.get(number >> _SHIFT)
        return block is not None and bool(block[(number & _LOW) >> 3] & 1 << (number & 7))

    def add(self, numbers: Iterable[int]) -> list[int]:
        """Add numbers; return those that were in the set already."""
        again: list[int] = []
        blocks = self._blocks
        high, block, added = -1, bytearray(), 0
        for number in numbers:
            if number >> _SHIFT != high:
                high = number >> _SHIFT
                block = blocks.setdefault(high, bytearray(1 << _SHIFT - 3))
            place, bit = (number & _LOW) >> 3, 1 << (number & 7)
            if block[place] & bit:
                again.append(number)
            else:
                block[place] |= bit
                added += 1
        self._size += added
        return again
