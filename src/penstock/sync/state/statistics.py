"""Statistics of runs: of a sync, of each of its accounts and of each subject. Every finished run is counted once.

They outlive the runs that they count. To count one run costs the same however many there were: its sync's, its
account's and its subject's rows are read and written, and nothing else is.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from penstock.domain.histogram import Histogram
from penstock.store.port import Store, Transaction

Kind = Literal["sync", "account", "subject"]
Order = Literal["slowest", "streak", "name"]
KINDS: tuple[Kind, ...] = ("sync", "account", "subject")
Key = tuple[str, Kind, str]
FIRST = (1 << 62, "")
"""Where the first page of the slowest begins."""


class Finished(NamedTuple):
    """A run that has finished, as it is counted."""

    id: int
    sync: str
    subject: str
    account: str
    status: str
    started_at: int | None
    finished_at: int
    read: int
    created: int
    updated: int
    deleted: int
    failed: int
    calls: int
    permits: int
    error_class: str | None
    error: str | None
    options: str = ""

    @property
    def audited(self) -> bool:
        """Whether it read its destination back."""
        return self.status == "succeeded" and '"audit"' in self.options


class Statistics(msgspec.Struct):
    """What is known of the finished runs of a sync, of an account or of a subject (`kind`), which `name` names.

    Times are in milliseconds since 1970, UTC. `p50_ms` and `p95_ms` say for how long runs that succeeded were served,
    within 5 % (see `penstock.domain.histogram`, in which `durations` is text), and are 0 where none has.
    `streak` is how many runs in a row have failed, `failing` how many subjects' last runs have, since `failing_at`.
    `read`, `created`, `updated`, `deleted` and `failed` are records, `calls` those to the destination, `permits` those
    that were spent. `audited_at` is when the last audit ended. The rest is of the newest run.
    """

    sync: str
    kind: str
    name: str
    account: str
    runs: int = 0
    failures: int = 0
    cancelled: int = 0
    streak: int = 0
    failing: int = 0
    durations: str = "{}"
    p50_ms: int = 0
    p95_ms: int = 0
    read: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0
    calls: int = 0
    permits: int = 0
    run_id: int = 0
    status: str = ""
    finished_at: int = 0
    succeeded_at: int | None = None
    failing_at: int | None = None
    error_class: str | None = None
    error: str | None = None
    audited_at: int | None = None

    def count(self, run: Finished) -> None:
        """Add one run. How many subjects fail is not for it to say: see `fails`."""
        self.runs += 1
        for name in ("read", "created", "updated", "deleted", "failed", "calls", "permits"):
            setattr(self, name, getattr(self, name) + getattr(run, name))
        if run.id > self.run_id:
            self.run_id, self.status, self.finished_at = run.id, run.status, run.finished_at
            self.error_class, self.error = run.error_class, run.error
        if run.status == "failed":
            self.failures += 1
            self.streak += 1
        elif run.status == "cancelled":
            self.cancelled += 1
        else:
            self.streak, self.succeeded_at = 0, max(self.succeeded_at or 0, run.finished_at)
        if run.audited:
            self.audited_at = max(self.audited_at or 0, run.finished_at)

    def fails(self, change: int, at: int) -> None:
        """So many more subjects fail than before."""
        if change:
            self.failing = max(self.failing + change, 0)
            self.failing_at = None if not self.failing else self.failing_at if self.failing_at is not None else at


def counted(runs: Iterable[Finished], known: Mapping[Key, Statistics]) -> dict[Key, Statistics]:
    """The statistics once these runs are counted too; `known` are those before, which are changed."""
    found = dict(known)
    durations: dict[Key, Histogram] = {}
    for run in sorted(runs, key=lambda run: run.id):
        mine, *_ = keys(run)
        subject = found.setdefault(mine, Statistics(*mine, run.account))
        was, former = subject.failing, subject.account
        subject.account = run.account or former
        higher = keys(run._replace(account=subject.account))[1:]
        for key in (mine, *higher):
            each = found.setdefault(key, Statistics(*key, subject.account if key[1] == "account" else ""))
            each.count(run)
            if run.status == "succeeded" and run.started_at is not None:
                histogram = durations.setdefault(key, Histogram.read(each.durations))
                histogram.add(run.finished_at - run.started_at)
        now, moved = int(subject.streak > 0), former != subject.account
        subject.fails(now - was, run.finished_at)
        if moved and (before := found.get((run.sync, "account", former))):
            before.fails(-was, run.finished_at)
        for key in higher:
            found[key].fails(now - (0 if moved and key[1] == "account" else was), run.finished_at)
    for key, histogram in durations.items():
        each = found[key]
        each.durations = histogram.text
        each.p50_ms, each.p95_ms = (round(histogram.quantile(share) or 0) for share in (0.5, 0.95))
    return found


def forgiven(subjects: Iterable[Statistics], known: Mapping[Key, Statistics]) -> list[Statistics]:
    """The statistics once these subjects are not counted as failing any more; `known` are those above them."""
    changed: dict[Key, Statistics] = {}
    for subject in subjects:
        for key in above(subject):
            if (each := known.get(key)) is not None:
                each.fails(-subject.failing, subject.finished_at)
                changed[key] = each
        subject.fails(-subject.failing, subject.finished_at)
        changed[subject.sync, "subject", subject.name] = subject
    return list(changed.values())


def above(subject: Statistics) -> list[Key]:
    """What a subject that fails is counted in."""
    return [(subject.sync, "account", subject.account), (subject.sync, "sync", "")]


def keys(run: Finished) -> list[Key]:
    """What a run is counted in: its subject first. A run that was refused may have no account."""
    account: list[Key] = [(run.sync, "account", run.account)] if run.account else []
    return [(run.sync, "subject", run.subject), *account, (run.sync, "sync", "")]


def read_known(tx: Transaction, wanted: Iterable[Key]) -> dict[Key, Statistics]:
    """The rows under these keys."""
    found = sorted(wanted)
    rows = tx.batch("statistics_of", {"syncs": [key[0] for key in found], "kinds": [key[1] for key in found],
                                      "names": [key[2] for key in found]})
    return {(row[0], row[1], row[2]): Statistics(*row) for row in rows}


def save(tx: Transaction, rows: Iterable[Statistics]) -> None:
    tx.execute("statistics_put", {"statistics": msgspec.json.encode(list(rows)).decode()})


def statistics(store: Store, sync: str, *, kind: Kind = "subject", account: str | None = None,
               subject: str | None = None, below: tuple[int, str] = FIRST, count: int = 100,
               order: Order = "slowest") -> list[Statistics]:
    """Statistics of one kind, the slowest (by p95) first; the next page begins below the last (p95_ms, name).

    With `account`, of its subjects (or, as `kind` says, of itself); with `subject`, of that one alone. In the order of
    the `streak` those are given that fail, the longest streak first, and the next page begins below (streak, name); in
    that of the `name` the next one begins at (0, name), itself included.
    """
    params: dict[str, Any] = {"sync": sync, "kind": kind, "p95_ms": below[0], "name": below[1], "count": count}
    name = "statistics_slowest"
    if subject is not None:
        name, params = "statistics_subject", {"sync": sync, "kind": "subject", "name": subject}
    elif account is not None:
        name, params = "statistics_account", {**params, "account": account}
    elif order == "streak":
        name, params = "statistics_streak", {"sync": sync, "kind": kind, "streak": below[0], "name": below[1],
                                             "count": count}
    elif order == "name":
        name, params = "statistics_named", {"sync": sync, "kind": kind, "name": below[1], "count": count}
    return [Statistics(*row) for row in store.read(lambda tx: tx.rows(name, params))]
