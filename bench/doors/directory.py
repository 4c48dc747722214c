"""The access-control directory: a real SCIM server behind a proxy that is slow where the case study's was, and strict.

Listing all users takes as long as it says, and each change; more calls in a second than are allowed are answered 429.
"""

import json
import threading
import time
from collections import Counter, deque
from http.client import HTTPConnection
from typing import Any, Self
from urllib.parse import urlsplit

from bench.doors.office import Office
from bench.doors.times import Times
from penstock.connectors import scim
from tests.servers.scim import FaultyProxy, Seen

OTHERS = 100
PAGE = 50
CALLS_PER_SECOND = 40
_BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
_USER = "urn:ietf:params:scim:schemas:core:2.0:User"


class Directory:
    """One customer's service, which holds people of elsewhere already. `counted` says what was asked of it."""

    def __init__(self, upstream: str, token: str, times: Times) -> None:
        self._upstream = upstream
        self._times = times
        self._lock = threading.Lock()
        self._lately: deque[float] = deque()
        self.token = token
        self.counted: Counter[str] = Counter()
        self._proxy = FaultyProxy(upstream)

    def __enter__(self) -> Self:
        self._fill()
        self._proxy.__enter__()
        self._proxy.offer(filter={"maxResults": PAGE})
        self._proxy.treat = self._treat  # type: ignore[method-assign]
        return self

    def __exit__(self, *exception: object) -> None:
        self._proxy.__exit__(*exception)

    @property
    def url(self) -> str:
        return self._proxy.url

    def _treat(self, handler: Any, seen: Seen) -> None:
        if self._too_many():
            self.counted["throttled"] += 1
            handler.reply(429, b"", {"Retry-After": "1"})
            return
        began = time.monotonic()
        status, headers, body = handler.forward(seen)
        if seen.path == "/ServiceProviderConfig":
            body = self._proxy.rewritten(seen, body)
        time.sleep(max(self._seconds(seen, body) - (time.monotonic() - began), 0))
        handler.reply(status, body, {"Content-Type": headers.get("Content-Type", "application/scim+json")})

    def _too_many(self) -> bool:
        with self._lock:
            now = time.monotonic()
            while self._lately and self._lately[0] <= now - 1:
                self._lately.popleft()
            if len(self._lately) >= CALLS_PER_SECOND:
                return True
            self._lately.append(now)
            self.counted["calls"] += 1
            return False

    def _seconds(self, seen: Seen, body: bytes) -> float:
        """How long a call has to take: a page of all users has its share of the whole; other reads are as they are."""
        if seen.method != "GET":
            changes = len(json.loads(seen.body)["Operations"]) if seen.path == "/Bulk" else 1
            self._count("changes", changes)
            return changes * self._times.call
        if seen.path != "/Users" or "filter" in seen.query:
            return 0.0
        page = json.loads(body)
        self._count("fetches", page["startIndex"] == 1)
        return float(self._times.fetch * len(page.get("Resources", ())) / max(page["totalResults"], 1))

    def _count(self, what: str, by: int) -> None:
        with self._lock:
            self.counted[what] += by

    def _fill(self) -> None:
        operations = [{"method": "POST", "path": "/Users", "bulkId": str(number), "data": {
            "schemas": [_USER], "userName": f"other-{number}@example.com", "displayName": f"Other {number}"}}
            for number in range(OTHERS)]
        parts = urlsplit(self._upstream)
        assert parts.hostname
        connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        connection.request("POST", f"{parts.path}/Bulk", json.dumps({"schemas": [_BULK], "Operations": operations}),
                           {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"expected the directory to take {OTHERS} people, got {answer.status}: {answer.read()!r}")
        connection.close()

    def equals(self, office: Office) -> bool:
        """Whether it holds each person and group of the office once, with its members, and all that was there."""
        with scim.connect(self._upstream, token=self.token) as client:
            users, groups = list(client.resources("Users")), list(client.resources("Groups"))
        names = {user["id"]: user["userName"] for user in users}
        held = sorted((user["userName"], user.get("displayName")) for user in users)
        wanted = sorted([*((person.email, person.name) for person in office.found()),
                         *((f"other-{number}@example.com", f"Other {number}") for number in range(OTHERS))])
        members = {group["displayName"]: sorted(names[member["value"]] for member in group.get("members", ()))
                   for group in groups}
        return held == wanted and len(groups) == len(members) and members == {
            group: [person.email for person in office.found("where door_group = ?", group)] for group in office.groups}
