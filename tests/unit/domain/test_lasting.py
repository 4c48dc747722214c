"""Durations in words."""

import pytest

from penstock.domain.lasting import lasting


@pytest.mark.parametrize(("us", "text"), [
    (-1, "0 µs"), (0, "0 µs"), (350, "350 µs"), (1200, "1.2 ms"), (2000, "2 ms"), (45_000, "45 ms"),
    (999_600, "1 s"), (999_400, "999 ms"),
    (1_500_000, "1.5 s"), (30_000_000, "30 s"), (150_000_000, "2 min 30 s"), (45 * 60_000_000, "45 min"),
    (3600_000_000, "1 h"), (12_000_000_000, "3 h 20 min"), (90_000_000_000, "1 d 1 h"),
])
def test_lasting(us: int, text: str) -> None:
    assert lasting(us) == text
