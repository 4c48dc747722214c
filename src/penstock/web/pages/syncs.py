"""Syncs: how each stands, its subjects and accounts by what is wrong with them; requests and pauses."""

from typing import Literal

import msgspec

from penstock.app.syncing import SyncState
from penstock.sync.state.statistics import FIRST, Order
from penstock.web.declared import Action, Done, Seen, View
from penstock.web.frame import to
from penstock.web.pages.of_syncs import (
    PAGE,
    ClassShown,
    RunShown,
    SubjectRow,
    class_shown,
    existing,
    place,
    run_shown,
    subject_row,
)
from penstock.web.pages.subjects import GateShown, gate_shown

By = Literal["subject", "account"]
_MOST_FOUND = 200
_WRONG, _LAST_RUNS = 5, 8
_LOOKED_AT, _MOST_RECORDS = 8, 500


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class FailingSubject(msgspec.Struct, frozen=True):
    """A subject whose last run failed."""

    sync: str
    subject: SubjectRow


class FailingRecords(msgspec.Struct, frozen=True):
    """Records of a sync whose errors are identical."""

    sync: str
    records: ClassShown


class Syncs(msgspec.Struct, frozen=True):
    """Every sync of the app; what is wrong with some of them now, and the last runs. `failing` are the subjects that
    have failed the most often in a row, `records` the most frequent errors (of the first hundreds of records of each of
    the first syncs), `gates` those of accounts that are not open."""

    syncs: list[SyncState]
    failing: list[FailingSubject]
    records: list[FailingRecords]
    gates: list[GateShown]
    runs: list[RunShown]
    now: int


class SyncAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`order` is `slowest`, `streak` (what fails, the longest streak first) or `name`; `find` is how a name begins;
    `after` is what the last page gave as `next`."""

    sync: str
    by: By = "subject"
    order: Order = "slowest"
    find: str | None = None
    after: str | None = None


class SyncShown(msgspec.Struct, frozen=True):
    """A sync, and a page of its subjects or accounts."""

    sync: SyncState
    records: list[ClassShown]
    """Its most frequent errors of records, on the first page alone."""
    rows: list[SubjectRow]
    next: str | None
    now: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`what`: `changes` (the ordinary), `full` (everything again) or `audit` (read the destination back)."""

    sync: str
    subject: str
    account: str | None = None
    priority: int = 0
    what: Literal["changes", "full", "audit"] = "changes"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A sync, or one account of it."""

    sync: str
    account: str | None = None


def load_all(seen: Seen, asked: Nothing) -> Syncs:
    """Every sync: what runs and waits, what fails, when it last succeeded and was audited."""
    app, now = seen.app, seen.app.now_ms()
    syncs = app.sync_states()
    failing = [FailingSubject(each.name, subject_row(seen, row)) for each in syncs if each.statistics.failing
               for row in app.run_statistics(each.name, order="streak", below=FIRST, limit=_WRONG)]
    records = [FailingRecords(each.name, found) for each in syncs[:_LOOKED_AT] for found in _records(seen, each.name)]
    failing.sort(key=lambda each: -each.subject.streak)
    records.sort(key=lambda each: -each.records.count)
    return Syncs(syncs, failing[:_WRONG], records[:_WRONG],
                 [gate_shown(seen, each) for each in app.shut_gates(begins="sync:", limit=_WRONG)],
                 [run_shown(seen, run, now) for run in app.runs(limit=_LAST_RUNS)] if syncs else [], now)


def _records(seen: Seen, sync: str) -> list[ClassShown]:
    return [class_shown(seen, each) for each in seen.app.error_classes(sync, most=_MOST_RECORDS)[:_WRONG]]


def load_one(seen: Seen, asked: SyncAsked) -> SyncShown:
    """One sync, and a page of its subjects or accounts."""
    app, name = seen.app, existing(seen, asked.sync)
    if asked.find:
        found = app.run_statistics(name, by=asked.by, order="name", below=(0, asked.find), limit=_MOST_FOUND)
        rows, more = [each for each in found if each.name.startswith(asked.find)][:PAGE], False
    else:
        start = place(asked.after, (0, "") if asked.order == "name" else FIRST)
        found = app.run_statistics(name, by=asked.by, order=asked.order, below=start, limit=PAGE + 1)
        rows, more = found[:PAGE], len(found) > PAGE
    trends = (app.subject_trends if asked.by == "subject" else app.account_trends)(name, [each.name for each in rows])
    next_ = None
    if more:
        last = found[PAGE] if asked.order == "name" else rows[-1]
        next_ = f"{ {'slowest': last.p95_ms, 'streak': last.streak, 'name': 0}[asked.order] }:{last.name}"
    [state] = app.sync_states([name])
    records = [] if asked.after or asked.find else _records(seen, name)
    return SyncShown(state, records, [subject_row(seen, each, trends.get(each.name)) for each in rows], next_,
                     app.now_ms())


def request(seen: Seen, asked: Request) -> Done:
    """Ask that a subject be brought up to date; where its run waits already, with the higher priority."""
    name = existing(seen, asked.sync)
    seen.app.request_subject(name, asked.subject, account=asked.account, priority=asked.priority,
                             reason=f"asked by {seen.person.name}"[:200], full=asked.what == "full",
                             audit=asked.what == "audit")
    said = {"changes": "requested", "full": "requested, everything again", "audit": "to be audited"}[asked.what]
    priority = f", priority {asked.priority}" if asked.priority else ""
    return Done(f"{asked.subject} of {name} is {said}{priority}",
                to("/syncs/{}/subjects/{}", name, asked.subject), f"sync:{name}/{asked.subject}",
                after=f"{said}{priority}")


def pause(seen: Seen, asked: Held) -> Done:
    """Admit no run of a sync, or of one account of it, until it is resumed. What runs goes on."""
    return _held(seen, asked, seen.app.pause(sync=existing(seen, asked.sync), account=asked.account), "paused")


def resume(seen: Seen, asked: Held) -> Done:
    """End a pause."""
    return _held(seen, asked, seen.app.resume(sync=existing(seen, asked.sync), account=asked.account), "resumed")


def _held(seen: Seen, asked: Held, changed: bool, what: str) -> Done:
    name = asked.sync if asked.account is None else f"account {asked.account} of {asked.sync}"
    where = to("/syncs/{}", asked.sync) if asked.account is None else \
        to("/syncs/{}/accounts/{}", asked.sync, asked.account)
    about = f"sync:{asked.sync}" + ("" if asked.account is None else f"/{asked.account}")
    was, other = ("running", "paused") if what == "paused" else ("paused", "running")
    return Done(f"{name} is {what}" if changed else f"{name} was {other} already", where, about,
                before=was if changed else other, after=other)


VIEWS = [
    View(path="/syncs", asked=Nothing, load=load_all, template="syncs/list.html", title="Syncs", nav="syncs", live=5.0),
    View(path="/syncs/{sync}", asked=SyncAsked, load=load_one, template="syncs/one.html",
         title=lambda m: m.sync.name, nav="syncs", live=5.0),
]
ACTIONS = [
    Action(path="/syncs/{sync}/request", asked=Request, do=request),
    Action(path="/syncs/{sync}/pause", asked=Held, do=pause),
    Action(path="/syncs/{sync}/resume", asked=Held, do=resume),
]
