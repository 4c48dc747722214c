"""Where bodies run: what a task asks for, and where threads do the same for less."""

import sys

import pytest

from penstock.domain.pools import Pool, pool_of


def test_a_task_runs_where_it_asks_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    assert pool_of(None, is_async=False) is Pool.THREADS
    assert pool_of(None, is_async=True) is Pool.LOOP
    assert pool_of("process", is_async=False) is Pool.PROCESSES


def test_threads_compute_side_by_side_where_there_is_no_global_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert pool_of("process", is_async=False) is Pool.THREADS
