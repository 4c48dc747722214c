"""Ten customers of the access-control vendor, and what their directory saw of each: for the example of case study K."""

import json
import re
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.cli.demo import source
from penstock.connectors import scim
from penstock.domain.slots import LATE_SHARE
from tests.servers.scim import FaultyProxy, Seen

ACCOUNTS, GROUPS = 10, 40
_SECOND = 1 - LATE_SHARE / 2
"""A second, less what calls of one key may differ by in how long they take to arrive: see docs/limits.md."""
_ID = re.compile(r"/Groups/([^/?]+)$")


def generate(path: Path, groups: int = GROUPS, people: int = 3) -> list[tuple[str, str]]:
    """The HR database: for each customer 40 `groups`, half of them with a member. Gives (group, customer)."""
    source.generate(path, people=0, groups=0, seed=1)
    with source.opened(path) as hr:
        for customer in (f"customer-{number}" for number in range(ACCOUNTS)):
            hr.executemany("insert into person values (?, ?, ?)", (
                (f"{customer}-p{n}", f"Person {n} of {customer}", f"p{n}@{customer}.example") for n in range(people)))
            hr.executemany("insert into door_group values (?, ?, ?, ?)", (
                (f"{customer}-d{n}", f"Doors {n} of {customer}", customer, n % 2) for n in range(groups)))
            hr.executemany("insert into member values (?, ?)", (
                (f"{customer}-d{n}", f"{customer}-p{n // 2 % people}") for n in range(1, groups, 2)))
        return hr.execute("select group_id, customer from door_group order by random()").fetchall()


@dataclass
class Directory(AbstractContextManager["Directory"]):
    """A proxy before the server, which notes when each change of which customer came."""

    upstream: str
    token: str
    _at: list[tuple[float, Seen]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Directory":
        self.proxy = FaultyProxy(self.upstream).__enter__()
        self.proxy.meanwhile(self._note, times=None)
        return self

    def __exit__(self, *exception: object) -> None:
        self.proxy.__exit__(*exception)

    def _note(self, seen: Seen) -> None:
        if seen.method != "GET":
            with self._lock:
                self._at.append((time.monotonic(), seen))

    @property
    def url(self) -> str:
        return self.proxy.url

    @property
    def writes(self) -> int:
        with self._lock:
            return len(self._at)

    def most_in_a_second(self) -> dict[str, int]:
        """For each customer the most changes that came within any second."""
        with scim.connect(self.upstream, token=self.token) as client:
            groups = {group["id"]: str(group["externalId"]) for group in client.resources("Groups")}
        times: dict[str, list[float]] = defaultdict(list)
        with self._lock:
            for at, seen in self._at:
                for key, changes in _changes(seen, groups):
                    times[key.rpartition("-")[0]] += [at] * changes
        return {customer: max(bisect_right(sorted(found), at + _SECOND) - place
                              for place, at in enumerate(sorted(found))) for customer, found in times.items()}


def _changes(seen: Seen, groups: dict[str, str]) -> list[tuple[str, int]]:
    """The key of a person or group, and how many changes a request makes of it or its members."""
    body = json.loads(seen.body)
    if seen.path.startswith("/Bulk"):
        return [found for each in body["Operations"] for found in _change(each["path"], each.get("data") or {}, groups)]
    return _change(seen.path, body, groups)


def _change(path: str, body: dict[str, Any], groups: dict[str, str]) -> list[tuple[str, int]]:
    if found := _ID.search(path):
        members = [value for each in body.get("Operations", ()) if isinstance(each.get("value"), list)
                   for value in each["value"]]
        return [(groups[found[1]], max(len(members), 1))]
    return [(str(body["externalId"]), 1)]


def most_at_once(runs: list[tuple[str, int, int]]) -> dict[str, int]:
    """How many runs, as (account, began, ended), were under way at once: of each account, and under `""` in all."""
    most: dict[str, int] = defaultdict(int)
    now: dict[str, int] = defaultdict(int)
    moments = [(at, change, account) for account, began, ended in runs for at, change in ((began, 1), (ended, -1))]
    for _, change, account in sorted(moments, key=lambda each: (each[0], each[1])):
        for key in (account, ""):
            now[key] += change
            most[key] = max(most[key], now[key])
    return dict(most)
