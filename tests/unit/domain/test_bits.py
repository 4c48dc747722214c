"""The set of bits is a set of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.domain.bits import Bits

NUMBERS = st.integers(0, 200_000)
RUNS = st.builds(lambda first, count: list(range(first, first + count)), NUMBERS, st.integers(0, 300))
PAGES = st.lists(st.one_of(st.lists(NUMBERS, max_size=50), RUNS), max_size=8)


def filled(pages: list[list[int]]) -> Bits:
    bits = Bits()
    for page in pages:
        bits.add(page)
    return bits


@given(PAGES)
def test_it_holds_what_was_added_and_tells_what_came_again(pages: list[list[int]]):
    bits, held = Bits(), set[int]()
    for page in pages:
        twice = {number for number in page if page.count(number) > 1} if len(page) <= 50 else set()
        assert bits.add(page) == twice | (held & set(page))
        held |= set(page)
        assert len(bits) == len(held)
    assert all(number in bits for number in held)
    assert not any(number in bits for number in range(0, 200_500, 97) if number not in held)


@given(PAGES, PAGES)
def test_the_difference_comes_in_order(one: list[list[int]], two: list[list[int]]):
    assert list(filled(one) - filled(two)) == sorted(set().union(*one) - set().union(*two))
