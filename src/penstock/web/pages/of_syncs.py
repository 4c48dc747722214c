"""What the pages of syncs have in common: values as they show them. Not a page itself."""

import msgspec

from penstock.domain.errors import UnknownSubject
from penstock.domain.names import did_you_mean
from penstock.domain.options import RunOptions
from penstock.sync.state.failures import ErrorClass
from penstock.sync.state.runs import RunRow
from penstock.sync.state.statistics import FIRST, Statistics
from penstock.sync.telling.runs import Took
from penstock.sync.window.row import WindowRow
from penstock.web.asked import Misread
from penstock.web.declared import NotFound, Seen

PAGE = 50


class SubjectRow(msgspec.Struct, frozen=True):
    """A subject (or an account) as lists show it. Times are in milliseconds since 1970, UTC."""

    name: str
    account: str
    status: str
    run_id: int
    runs: int
    streak: int
    failing: int
    p50_ms: int
    p95_ms: int
    succeeded_at: int | None
    audited_at: int | None
    error_class: str | None
    error: str
    trend: list[Took] = []


class RunShown(msgspec.Struct, frozen=True):
    """A run as lists show it; `waited_ms` until it first began, `took_ms` from there to its end, or until now. `asked`
    says in words what it does other than the ordinary, as `options` have it."""

    id: int
    sync: str
    subject: str
    account: str
    status: str
    priority: int
    reasons: list[str]
    requested_at: int
    started_at: int | None
    finished_at: int | None
    waited_ms: int
    took_ms: int | None
    attempt: int
    read: int
    created: int
    updated: int
    deleted: int
    skipped: int
    failed: int
    blocked: int
    withheld: int
    read_calls: int
    write_calls: int
    permits: int
    limited_ms: int
    options: str
    error_class: str | None
    error: str
    asked: str = ""


class ServedShown(msgspec.Struct, frozen=True):
    """A run as a window served it: from `began_ms` after the window's begin on, for `took_ms`."""

    id: int
    subject: str
    began_ms: int
    took_ms: int
    status: str


class WindowShown(msgspec.Struct, frozen=True):
    """A window with what its time went to: `other_ms` is neither fetch nor any run's. Of one at work little is known.
    """

    id: int
    sync: str
    account: str
    job_id: int
    began_at: int
    ended_at: int | None
    total_ms: int | None
    headroom_ms: int | None
    used_ms: int
    unused_ms: int | None
    fetch_ms: int
    other_ms: int
    runs: list[ServedShown]
    served: int
    failed: int
    put_back: int
    skipped: int
    ended_by: str | None


class ClassShown(msgspec.Struct, frozen=True):
    """Identical errors of one layer's records."""

    name: str
    layer: str
    status: str
    code: str
    message: str
    count: int
    first_at: int
    last_at: int
    retry_at: int | None
    keys: list[str]


def existing(seen: Seen, sync: str) -> str:
    """The name of a sync that this app declares. Raises `NotFound`."""
    if sync not in seen.app.syncs:
        near = did_you_mean(sync, seen.app.syncs)
        raise NotFound(f"There is no sync {sync}", f"This app declares none of that name{near}.")
    return sync


def place(after: str | None, first: tuple[int, str] = FIRST) -> tuple[int, str]:
    """Where a page of statistics begins, from what the last one gave as `next`. Raises `Misread`."""
    if not after:
        return first
    number, colon, name = after.partition(":")
    if not colon or not number.isdecimal() or len(number) > 18:
        raise Misread(f"after: expected what the last page gave as next, got {after!r}")
    return int(number), name


def account_of(seen: Seen, sync: str, subject: str) -> str:
    """The account of a subject. Raises `NotFound`."""
    try:
        return seen.app.known_subject(sync, subject).account
    except UnknownSubject:
        raise NotFound(f"{sync} has no subject {subject}",
                       "It has had no run yet, and subjects() of the sync does not give it.") from None


def subject_row(seen: Seen, found: Statistics, trend: list[Took] | None = None) -> SubjectRow:
    return SubjectRow(found.name, found.account, found.status, found.run_id, found.runs, found.streak, found.failing,
                      found.p50_ms, found.p95_ms, found.succeeded_at, found.audited_at, found.error_class,
                      seen.masked(found.error), trend or [])


def run_shown(seen: Seen, run: RunRow, now: int) -> RunShown:
    waited = max((run.started_at or run.finished_at or now) - run.requested_at, 0)
    took = None if run.started_at is None else max((run.finished_at or now) - run.started_at, 0)
    return RunShown(
        run.id, run.sync, run.subject, run.account, run.status, run.priority, _reasons(run.reasons), run.requested_at,
        run.started_at, run.finished_at, waited, took, run.attempt, run.read, run.created, run.updated, run.deleted,
        run.skipped, run.failed, run.blocked, run.withheld, run.read_calls, run.write_calls, run.permits,
        run.limited_ms, run.options, run.error_class, seen.masked(run.error), _asked(run.options))


def window_shown(window: WindowRow, now: int) -> WindowShown:
    runs = [ServedShown(each.id, each.subject, each.began_ms, each.took_ms, each.status)
            for each in window.served_runs]
    used = window.used_ms if window.used_ms is not None else max((window.ended_at or now) - window.began_at, 0)
    other = max(used - window.fetch_ms - sum(run.took_ms for run in runs), 0)
    return WindowShown(
        window.id, window.sync, window.account, window.job_id, window.began_at, window.ended_at, window.total_ms,
        window.headroom_ms, used, window.unused_ms, window.fetch_ms, other, runs, window.served, window.failed,
        window.put_back, window.skipped, window.ended_by)


def class_shown(seen: Seen, found: ErrorClass) -> ClassShown:
    return ClassShown(found.name, found.layer, found.status, found.code, seen.masked(found.message), found.count,
                      found.first_at, found.last_at, found.retry_at, found.keys)


def _asked(options: str) -> str:
    try:
        return str(RunOptions.read(options))
    except ValueError:
        return options


def _reasons(text: str) -> list[str]:
    try:
        return msgspec.json.decode(text or "[]", type=list[str])
    except (msgspec.DecodeError, ValueError):
        return [text]
