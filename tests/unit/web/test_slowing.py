"""Whoever guesses waits, longer and longer; whoever does not, never."""

from penstock.web.slowing import FREE, MOST_SECONDS, Slowing


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_some_failures_are_free_and_then_each_takes_twice_as_long():
    clock = Clock()
    slowing = Slowing(clock)
    waits = []
    for _ in range(FREE + 12):
        waits.append(slowing.wait("a"))
        clock.now += waits[-1]
        assert slowing.wait("a") == 0
        slowing.failed("a")
    assert waits == [0] * FREE + [2, 4, 8, 16, 32, 64, 128, 256] + [MOST_SECONDS] * 4
    assert slowing.wait("b") == 0


def test_who_comes_in_begins_anew_and_so_does_who_stays_away():
    clock = Clock()
    slowing = Slowing(clock)
    for _ in range(FREE + 1):
        slowing.failed("a")
        slowing.failed("b")
    slowing.succeeded("a")
    clock.now += 4000
    slowing.failed("b")
    assert (slowing.wait("a"), slowing.wait("b")) == (0, 0)


def test_what_is_kept_is_bounded():
    slowing = Slowing(Clock())
    for number in range(10_050):
        slowing.failed(f"address {number}")
    assert len(slowing._failures) == 10_000
