"""The running server, and the handle by which a test reads it and sets its quotas and faults."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.managers import BaseManager
from typing import Any, cast

from tests.servers.ads.api import Api
from tests.servers.ads.faults import Fault, FaultKind
from tests.servers.ads.log import Call, Operated
from tests.servers.ads.quotas import Quota, Unit
from tests.servers.ads.records import KINDS, Record
from tests.servers.ads.wire import Wire


class Ads:
    """A server with all its state. It has only methods, so that it may as well run in another process.

    Its clock is the monotonic one, or, with `still`, stands until `advance` moves it.
    """

    def __init__(self, still: bool = False) -> None:
        self._still = still
        self._ahead = 0.0
        self._api = Api(self.now)
        self._wire = Wire(self._api)
        self._wire.start()

    def url(self) -> str:
        return f"http://127.0.0.1:{self._wire.server_port}"

    def stop(self) -> None:
        self._wire.stop()

    # What it holds and what it saw

    def records(self, kind: str, customer: str | None = None) -> list[Record]:
        """Copies of all records of a kind, of one customer or of all, in the order in which they were made."""
        with self._api.lock:
            accounts = [account for name, account in self._api.state.accounts.items() if customer in (None, name)]
            found = [replace(record) for account in accounts for record in account.kinds[kind].records.values()]
        return sorted(found, key=lambda record: record.id)

    def counts(self, customer: str | None = None) -> dict[str, int]:
        """How many records there are of each kind."""
        with self._api.lock:
            held = [account.kinds for name, account in self._api.state.accounts.items() if customer in (None, name)]
            return {kind: sum(len(kinds[kind].records) for kinds in held) for kind in KINDS}

    def calls(self, route: str | None = None) -> list[Call]:
        """The calls so far, oldest first; `route` is `operations`, `search` or `page`."""
        with self._api.lock:
            return [call for call in self._api.state.log.calls if route in (None, call.route)]

    def operations(self) -> list[Operated]:
        """The operations so far, in the order in which they were met, with those that were refused."""
        with self._api.lock:
            return list(self._api.state.log.operations)

    def forget(self) -> None:
        """Begin the log of calls and operations anew; the records stay."""
        with self._api.lock:
            self._api.state.log.clear()

    # What others do at the destination

    def change(self, kind: str, id: int, **fields: Any) -> None:
        """Set fields of a record behind everybody's back; nothing is logged."""
        with self._api.lock:
            self._account_of(kind, id).update(kind, id, fields, None, None, None)

    def make(self, kind: str, customer: str, fields: dict[str, Any], parent: int | None = None,
             reference: str | None = None) -> int:
        """Make a record by hand; gives its id, and nothing is logged."""
        with self._api.lock:
            return self._api.state.account(customer).create(kind, fields, parent, reference, None)

    def drop(self, kind: str, id: int) -> None:
        """Remove a record by hand; nothing is logged."""
        with self._api.lock:
            self._account_of(kind, id).remove(kind, id, None)

    def _account_of(self, kind: str, id: int) -> Any:
        return next(account for account in self._api.state.accounts.values() if id in account.kinds[kind].records)

    # What it allows

    def quota(self, limit: int, *, seconds: float, customer: str | None = None, token: str | None = None,
              unit: Unit = "operation") -> None:
        """Allow at most `limit` operations (or calls) within any `seconds`, for a customer or a developer token.

        `*` stands for each of them by itself. Reads cost no operation, and one call.
        """
        if (customer is None) == (token is None):
            raise ValueError("expected a quota of a customer or of a token, got both or none")
        quota = (Quota(limit, seconds, unit, "customer", customer) if customer is not None
                 else Quota(limit, seconds, unit, "token", cast(str, token)))
        with self._api.lock:
            self._api.state.quotas.append(quota)

    def bounds(self, *, operations: int | None = None, body_bytes: int | None = None) -> None:
        """Set how much one call may carry at most."""
        with self._api.lock:
            self._api.state.max_operations = operations or self._api.state.max_operations
            self._api.state.max_bytes = body_bytes or self._api.state.max_bytes

    def advance(self, seconds: float) -> None:
        """Move the server's clock on, by which quotas are counted."""
        self._ahead += seconds

    def now(self) -> float:
        return self._ahead if self._still else time.monotonic() + self._ahead

    # What it does wrong

    def fault(self, kind: FaultKind, **when: Any) -> None:
        """Do something wrong to the next call, or to those that `when` says: see `Fault` and `FaultKind`."""
        with self._api.lock:
            self._api.faults.append(Fault(kind, **when))

    def reject(self, text: str, code: str = "POLICY_VIOLATION") -> None:
        """Refuse every operation that holds this text somewhere, and it alone."""
        with self._api.lock:
            self._api.state.rejected[text] = code

    def behave(self) -> None:
        """Drop all faults, and refuse nothing any more. Calls that hang are answered."""
        with self._api.lock:
            self._api.faults.clear()
            self._api.state.rejected.clear()
        self._wire.release()

    def lift(self) -> None:
        """Drop all quotas."""
        with self._api.lock:
            self._api.state.quotas.clear()


class _Apart(BaseManager):
    """Keeps an `Ads` in a process of its own, and passes calls of its methods on."""


_Apart.register("Ads", Ads)


@contextmanager
def ads_server(*, apart: bool = False, still: bool = False) -> Iterator[Ads]:
    """A server on a free loopback port, in threads of this process, or with `apart` in a process of its own."""
    if not apart:
        ads = Ads(still)
        try:
            yield ads
        finally:
            ads.stop()
        return
    # A fork would take this process's threads and connections for its own.
    with _Apart(ctx=multiprocessing.get_context("spawn")) as manager:
        ads = cast(Ads, manager.Ads(still))  # type: ignore[attr-defined]
        try:
            yield ads
        finally:
            ads.stop()
