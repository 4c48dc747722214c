"""A machine that is cut off between two statements of a transaction leaves locks behind, and they do not stay."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock import Penstock
from penstock.domain.errors import StoreError
from tests.clock import Clock
from tests.machines.places import Forwarder
from tests.waiting import until


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_it_holds_up_no_rescue(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    begun = threading.Event()
    with (contextlib.closing(Forwarder(store_url)) as forwarder, ThreadPoolExecutor(2) as pool,
          Penstock(forwarder.url) as lost, Penstock(store_url) as app):
        row = lost.store.write(lambda tx: tx.row("worker_start", {"name": "lost", "lease_ms": 1}))
        assert row is not None

        def renewed_half(tx: Any) -> None:
            tx.execute("worker_renew", {"worker_id": row[0], "lease_ms": 1})
            forwarder.cut()
            begun.set()
            tx.row("now")

        try:
            with monkeypatch.context() as patch:  # not of the rescue's own transaction, which may be held up as well
                patch.setattr("penstock.store.postgres.store._ABANDONED_MS", 2000)
                renewing = pool.submit(lost.store.write, renewed_half)
                assert begun.wait(30)
            rescuing = pool.submit(app.upkeep().rescue)
            until("the rescue is through", rescuing.done, seconds=60)
            assert rescuing.result() == 0
            assert not clock.fetch("select 1 from penstock.workers")
        finally:
            forwarder.restore()
        with pytest.raises(StoreError):
            renewing.result(30)
