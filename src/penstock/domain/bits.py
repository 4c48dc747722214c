"""A set of row ids at one bit each: which rows of a layer's state a source still has."""

from collections.abc import Iterator, Sequence

_SHIFT = 15
_LOW = (1 << _SHIFT) - 1
_BYTES = 1 << _SHIFT - 3


class Bits:
    """A growing set of non-negative whole numbers. A block of 32,768 neighbours takes 4 KiB once any is in it."""

    __slots__ = ("_blocks", "_size")

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, number: int) -> bool:
        return bool(self._blocks.get(number >> _SHIFT, 0) >> (number & _LOW) & 1)

    def __sub__(self, other: "Bits") -> Iterator[int]:
        """What is in this set and not in the other, in ascending order."""
        for high in sorted(self._blocks):
            yield from _numbers(high, self._blocks[high] & ~other._blocks.get(high, 0))

    def add(self, numbers: Sequence[int]) -> set[int]:
        """Add numbers; return those that were in the set already, or were given twice."""
        if not numbers:
            return set()
        first, count = numbers[0], len(numbers)
        run = first >> _SHIFT == (first + count - 1) >> _SHIFT and numbers[-1] == first + count - 1
        if run and all(map(int.__eq__, numbers, range(first, first + count))):  # usual, and cheap
            return self._merge(first >> _SHIFT, ((1 << count) - 1) << (first & _LOW))
        again: set[int] = set()
        blocks: dict[int, bytearray] = {}
        for number in numbers:
            block = blocks.setdefault(number >> _SHIFT, bytearray())
            if not block:
                block.extend(bytes(_BYTES))
            place, bit = (number & _LOW) >> 3, 1 << (number & 7)
            if block[place] & bit:
                again.add(number)
            block[place] |= bit
        for high, block in blocks.items():
            again |= self._merge(high, int.from_bytes(block, "little"))
        return again

    def _merge(self, high: int, mask: int) -> set[int]:
        held = self._blocks.get(high, 0)
        self._blocks[high] = held | mask
        both = held & mask
        self._size += mask.bit_count() - both.bit_count()
        return set(_numbers(high, both))


def _numbers(high: int, mask: int) -> Iterator[int]:
    """The numbers behind the bits of one block."""
    while mask:
        lowest = mask & -mask
        yield (high << _SHIFT) + lowest.bit_length() - 1
        mask ^= lowest
