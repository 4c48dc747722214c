"""What each request asks for, done on the state of the API; faults are not known here."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.servers.ads.log import Log, Operated
from tests.servers.ads.messages import Refusal, Reply, Request, shown, throttled
from tests.servers.ads.operations import Body, Operation, carry_out
from tests.servers.ads.quotas import Quota
from tests.servers.ads.records import KINDS, Account

MAX_OPERATIONS = 10_000
MAX_BYTES = 64 * 1024 * 1024
MAX_PAGE = 10_000

_decode = msgspec.json.Decoder(Body).decode


class Sought(msgspec.Struct):
    """The body of a search: by the client's references, or by ids."""

    references: list[str] = []
    ids: list[str] = []


@dataclass
class State:
    """All that the API knows. `rejected` has the texts for which operations are refused, with the codes."""

    clock: Callable[[], float]
    log: Log = field(default_factory=Log)
    accounts: dict[str, Account] = field(default_factory=dict)
    quotas: list[Quota] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    max_operations: int = MAX_OPERATIONS
    max_bytes: int = MAX_BYTES
    ids: Any = field(default_factory=lambda: itertools.count(1))

    def account(self, customer: str) -> Account:
        """A customer's account, which is made when it is first named."""
        found = self.accounts.get(customer)
        if found is None:
            found = self.accounts[customer] = Account(self.ids)
        return found


class Served:
    """One request as it is served, and what is to be logged of it."""

    def __init__(self, state: State, number: int, request: Request) -> None:
        self._state = state
        self._request = request
        self.number = number
        self.kind: str | None = None
        self.operations = 0
        self.carried_out = False

    def reply(self) -> Reply:
        """Do what is asked. Raises `Refusal`, and msgspec's errors for a body that cannot be understood."""
        request = self._request
        if not request.token:
            raise Refusal(401, "UNAUTHENTICATED", "expected a developer-token header")
        if len(request.body) > self._state.max_bytes:
            raise Refusal(413, "TOO_LARGE", f"expected at most {self._state.max_bytes} bytes, got {len(request.body)}:"
                                            " send fewer operations")
        match (request.method, *request.path):
            case ("POST", _, "operations"):
                return self._operate()
            case ("POST", _, kind, "search") if kind in KINDS:
                return self._search(kind)
            case ("GET", _, kind) if kind in KINDS:
                return self._page(kind)
        raise Refusal(404, "NO_SUCH_ROUTE", f"there is no {request.method} of {'/'.join(request.path)}")

    def _operate(self) -> Reply:
        body = _decode(self._request.body)
        self.kind, self.operations = body.kind, len(body.operations)
        if self.operations > self._state.max_operations:
            raise Refusal(400, "TOO_MANY_OPERATIONS", f"expected at most {self._state.max_operations} operations in a"
                                                      f" call, got {self.operations}")
        self._spend(self.operations)
        told, customer = self._state.log.operations, self._request.customer
        results = carry_out(self._state.account(customer), body, self._rejected if self._state.rejected else None,
                            lambda *heard: told.append(Operated(self.number, customer, *heard)))
        refused = [result for result in results if not result.ok]
        if refused and not body.partial_failure:
            raise Refusal(400, "ABORTED", f"{len(refused)} operations cannot be carried out, and so none was",
                          operations=refused)
        self.carried_out = True
        return Reply(200, {"results": results})

    def _rejected(self, operation: Operation) -> str | None:
        whole = msgspec.json.encode(operation).decode()
        return next((code for text, code in self._state.rejected.items() if text in whole), None)

    def _search(self, kind: str) -> Reply:
        self.kind = kind
        self._spend(0)
        sought = msgspec.json.decode(self._request.body, type=Sought)
        if len(sought.references) + len(sought.ids) > MAX_PAGE:
            raise Refusal(400, "TOO_MANY", f"expected at most {MAX_PAGE} references and ids in a search")
        held = self._state.account(self._request.customer).kinds[kind]
        numbered = [held.records[id] for id in map(_whole, sought.ids) if id in held.records]
        return Reply(200, {"records": [shown(record) for record in held.named(sought.references) + numbered]})

    def _page(self, kind: str) -> Reply:
        self.kind = kind
        self._spend(0)
        after, count = (_whole(self._request.query.get(name, default)) for name, default in
                        (("after", "0"), ("count", "1000")))
        if not 1 <= count <= MAX_PAGE:
            raise Refusal(400, "BAD_COUNT", f"expected a count from 1 to {MAX_PAGE}, got {count}")
        records = self._state.account(self._request.customer).kinds[kind].page(after, count)
        last = str(records[-1].id) if len(records) == count else None
        return Reply(200, {"records": [shown(record) for record in records], "next": last})

    def _spend(self, operations: int) -> None:
        """Count the call against all quotas that concern it, or against none."""
        names = {"customer": self._request.customer, "token": self._request.token}
        now = self._state.clock()
        asked = [(quota, operations if quota.unit == "operation" else 1) for quota in self._state.quotas
                 if quota.applies(names)]
        for quota, amount in asked:
            wait = quota.wait(names, amount, now)
            if wait == math.inf:
                raise Refusal(400, "LARGER_THAN_QUOTA", f"the quota of this {quota.of} is {quota.limit} {quota.unit}s,"
                                                        f" got a call of {amount}")
            if wait > 0:
                raise throttled(wait, f"the quota of this {quota.of} is {quota.limit} {quota.unit}s within"
                                      f" {quota.seconds:g} s")
        for quota, amount in asked:
            quota.spend(names, amount, now)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refusal(400, "INVALID_REQUEST", f"expected a whole number, got {text!r}") from None
