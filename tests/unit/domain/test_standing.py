"""How far a replica is behind, and what is none."""

import pytest

from penstock.domain.standing import Lag, Standing, no_replica, skewed


def primary(position: int, real_ms: int = 0, **others: int) -> Standing:
    return Standing("shop", others.get("system", 7), False, position, position, None, real_ms)


def replica(position: int, replayed_at: int | None = None, real_ms: int = 0) -> Standing:
    return Standing("shop", 7, True, position, position, replayed_at, real_ms)


def test_what_has_replayed_all_is_not_behind_however_long_ago_that_was():
    assert Lag().behind_ms(primary(100, 9_000_000), replica(100, 1000), 0.0) == 0


def test_at_first_the_last_transaction_says_how_far_it_is_behind():
    assert Lag().behind_ms(primary(200, 9000), replica(100, 1000), 0.0) == 8000
    assert Lag().behind_ms(primary(200, 9000), replica(100), 0.0) is None


def test_after_a_pause_it_is_behind_since_it_was_level_last():
    lag = Lag()
    assert lag.behind_ms(primary(100, 3_600_000), replica(100, 1000), 10.0) == 0
    assert lag.behind_ms(primary(150, 3_601_000), replica(100, 1000), 11.0) == 1000


def test_what_lags_steadily_is_as_far_behind_as_the_primary_was_seen_where_it_is_now():
    lag = Lag()
    lag.behind_ms(primary(100), replica(100), 0.0)
    found = [lag.behind_ms(primary(100 + 10 * at), replica(100 + 10 * max(at - 3, 0)), float(at)) for at in range(1, 9)]
    assert found == [1000, 2000, 3000, 3000, 3000, 3000, 3000, 3000]


def test_a_replica_that_stands_costs_no_more_and_more():
    lag = Lag()
    lag.behind_ms(primary(0), replica(0), 0.0)
    for at in range(1, 5000):
        assert lag.behind_ms(primary(at), replica(0), float(at)) == at * 1000
    assert len(lag._marks) == 1000


def test_another_cluster_is_no_replica_and_neither_is_a_server_of_its_own():
    assert no_replica(primary(1), replica(1)) is None
    assert "expected a hot standby of the store, got database 'shop' of another server" in str(
        no_replica(primary(1, system=8), replica(1)))
    assert "not in recovery" in str(no_replica(primary(1), primary(1)))


@pytest.mark.parametrize(("ahead_ms", "apart_ms", "says"), [
    (0, 0, None), (1900, 0, None), (-1900, 0, None), (5000, 4000, None),
    (5000, 0, "its clock is 5 s ahead of the primary's"), (-9000, 4000, "its clock is 9 s behind the primary's")])
def test_a_clock_that_is_off_is_told(ahead_ms: int, apart_ms: float, says: str | None):
    assert skewed(primary(1, 100_000), replica(1, real_ms=100_000 + ahead_ms), apart_ms) == says
