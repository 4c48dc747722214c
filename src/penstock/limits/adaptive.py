"""Adaptive rates: the pace of an API that does not say what it allows, found by trying and shared through the store.

The invariant: however many are refused at once, the pace halves once in a period; however many succeed, it grows once
in a period, by a twentieth of what it began with. (Additive increase, multiplicative decrease: D.-M. Chiu and R. Jain,
1989.)
"""

from penstock.domain.limits import Rate, name_of
from penstock.limits.rows import LimitRow, locked, saved
from penstock.store.port import Store, Transaction

_SHARE = 20
_LEAST_SHARE = 64  # never slower than this part of what it began with


def slower(store: Store, key: str, rate: Rate) -> None:
    """A call was refused for its rate."""

    def work(tx: Transaction) -> None:
        row, now_ms = _row(tx, key, rate)
        if row.slowed_at is not None and now_ms - row.slowed_at < rate.seconds * 1000:
            return
        assert rate.start is not None
        row.interval_us = min((row.interval_us or rate.pace_us) * 2, rate.pace_us * _LEAST_SHARE)
        row.slowed_at = row.grown_at = now_ms
        saved(tx, row)

    store.write(work)


def faster(store: Store, key: str, rate: Rate) -> None:
    """A call succeeded."""

    def work(tx: Transaction) -> None:
        row, now_ms = _row(tx, key, rate)
        if row.grown_at is not None and now_ms - row.grown_at < rate.seconds * 1000:
            return
        assert rate.start is not None
        period_us = rate.seconds * 1_000_000
        count = period_us / (row.interval_us or rate.pace_us) + rate.start / _SHARE
        row.interval_us = max(round(period_us / min(count, rate.count)), 1)
        row.grown_at = now_ms
        saved(tx, row)

    store.write(work)


def _row(tx: Transaction, key: str, rate: Rate) -> tuple[LimitRow, int]:
    row = locked(tx, key, name_of(rate), rate.pace_us)
    now = tx.row("now")
    assert now is not None
    return row, int(now[0])
