"""One subject, one account; why a subject waits; and what a run of it would do now."""

from typing import Any

import msgspec

from penstock.admission.why import Answer
from penstock.domain.errors import OutOfTime
from penstock.sync.declaring.permits import gate_key
from penstock.sync.telling.previewed import PlannedLayer, PlannedSubject
from penstock.web.declared import NotFound, Seen, View
from penstock.web.pages.of_syncs import (
    ClassShown,
    RunShown,
    SubjectRow,
    WindowShown,
    account_of,
    class_shown,
    existing,
    place,
    run_shown,
    subject_row,
    window_shown,
)

_RUNS, _WINDOWS, _SUBJECTS = 20, 10, 50
_MOST_RECORDS = 500


class SubjectAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A subject of a sync."""

    sync: str
    subject: str


class AccountAsked(msgspec.Struct, frozen=True, kw_only=True):
    """An account of a sync; `after` is what the last page gave as `next`."""

    sync: str
    account: str
    after: str | None = None


class SubjectShown(msgspec.Struct, frozen=True):
    """A subject: its statistics (None before its first run has ended), its last runs and what waits, and the errors of
    its records, of some hundreds of them."""

    sync: str
    subject: str
    account: str | None
    known: SubjectRow | None
    runs: list[RunShown]
    waits: Answer | None
    classes: list[ClassShown]
    layers: list[str]
    now: int


class GateShown(msgspec.Struct, frozen=True):
    """A gate that is not open; `left_ms` is for how long still, None until somebody opens it. `sync` and `account` are
    those whose calls it holds back, where it is one of an account."""

    key: str
    state: str
    reason: str
    closed_by: str | None
    until_at: int | None
    left_ms: int | None
    sync: str | None = None
    account: str | None = None


class AccountShown(msgspec.Struct, frozen=True):
    """An account: its statistics, its gate if that is not open, its last windows and a page of its subjects."""

    sync: str
    account: str
    known: SubjectRow | None
    paused_at: int | None
    gate: GateShown | None
    windows: list[WindowShown]
    subjects: list[SubjectRow]
    next: str | None
    now: int


class PlanShown(msgspec.Struct, frozen=True):
    """What a run of a subject would do now; or why that cannot be said (`error`)."""

    sync: str
    subject: str
    plan: PlannedSubject | None
    error: str | None
    values: bool


class WaitingShown(msgspec.Struct, frozen=True):
    """Why a subject is not being brought up to date just now."""

    sync: str
    subject: str
    answer: Answer


def load_subject(seen: Seen, asked: SubjectAsked) -> SubjectShown:
    """A subject: its last runs, what it waits for, and the errors of its records."""
    app, name, key, now = seen.app, existing(seen, asked.sync), asked.subject, seen.app.now_ms()
    runs = app.runs(name, key, limit=_RUNS)
    known = app.run_statistics(name, subject=key)
    account = next((run.account for run in runs if run.account), known[0].account if known else None)
    classes = app.error_classes(name, subject=key, most=_MOST_RECORDS) if account else []
    trend = app.subject_trends(name, [key]).get(key)
    waits = None
    if not runs or runs[0].status in ("pending", "running"):
        waits = app.why_run(name, key)
        if waits.waits == "unknown" and not known:
            raise NotFound(f"{name} has no subject {key}", waits.reason)
    return SubjectShown(name, key, account, subject_row(seen, known[0], trend) if known else None,
                        [run_shown(seen, run, now) for run in runs], _masked(seen, waits),
                        [class_shown(seen, each) for each in classes],
                        [layer.name for layer in app.definition(name).layers], now)


def load_account(seen: Seen, asked: AccountAsked) -> AccountShown:
    """An account: its gate, its last windows and its subjects, the slowest first."""
    app, name, account, now = seen.app, existing(seen, asked.sync), asked.account, seen.app.now_ms()
    known = app.run_statistics(name, by="account", account=account, limit=1)
    found = app.run_statistics(name, account=account, below=place(asked.after), limit=_SUBJECTS + 1)
    rows = found[:_SUBJECTS]
    trends = app.subject_trends(name, [each.name for each in rows])
    paused = {each.account: each.paused_at for each in app.paused() if each.sync == name}
    gate = app.gate(gate_key(name, account)).look()
    windows = app.windows(name, account=account, limit=_WINDOWS)
    if not known and not found and not windows and not app.runs(name, account=account, limit=1):
        raise NotFound(f"{name} has no account {account}", "No run of such an account is known.")
    next_ = f"{rows[-1].p95_ms}:{rows[-1].name}" if len(found) > _SUBJECTS else None
    trend = app.account_trends(name, [account]).get(account)
    return AccountShown(name, account, subject_row(seen, known[0], trend) if known else None, paused.get(account),
                        None if gate is None or gate.state == "open" else gate_shown(seen, gate),
                        [window_shown(each, now) for each in windows],
                        [subject_row(seen, each, trends.get(each.name)) for each in rows], next_, now)


def gate_shown(seen: Seen, gate: Any) -> GateShown:
    """A gate as pages show it."""
    left = None if gate.until_at is None else max(gate.until_at - gate.now_ms, 0)
    sync, account = next(((name, gate.key.removeprefix(begins)) for name in seen.app.syncs
                          if gate.key.startswith(begins := gate_key(name, ""))), (None, None))
    return GateShown(gate.key, gate.state, seen.masked(gate.reason), gate.closed_by, gate.until_at, left, sync, account)


def load_plan(seen: Seen, asked: SubjectAsked) -> PlanShown:
    """What a run of a subject would do now. Its source is read, within bounds; nothing is written or sent."""
    name, values = existing(seen, asked.sync), seen.may("sensitive")
    account_of(seen, name, asked.subject)
    try:
        plan, error = _masked_plan(seen, seen.app.plan_subject(name, asked.subject, show_values=values)), None
    except OutOfTime as raised:
        plan, error = None, str(raised)
    except Exception as raised:  # whatever a source, which is not ours, may raise
        plan, error = None, seen.masked(f"{type(raised).__name__}: {raised}")
    return PlanShown(name, asked.subject, plan, error, values)


def load_waiting(seen: Seen, asked: SubjectAsked) -> WaitingShown:
    """Why a subject is not being brought up to date just now."""
    name = existing(seen, asked.sync)
    answer = seen.app.why_run(name, asked.subject)
    if answer.waits == "unknown":
        raise NotFound(f"{name} has no subject {asked.subject}", answer.reason)
    masked = _masked(seen, answer)
    assert masked is not None
    return WaitingShown(name, asked.subject, masked)


def _masked_plan(seen: Seen, plan: PlannedSubject) -> PlannedSubject:
    """The same with values hidden beside names of secrets, in payloads and in what is wrong with records."""
    def masked(layer: PlannedLayer) -> PlannedLayer:
        first = {kind: [msgspec.structs.replace(each, payload=seen.masked_value(each.payload)) for each in records]
                 for kind, records in layer.first.items()}
        return msgspec.structs.replace(layer, first=first, problems=[seen.masked(each) for each in layer.problems])

    return msgspec.structs.replace(plan, layers=[masked(layer) for layer in plan.layers])


def _masked(seen: Seen, answer: Answer | None) -> Answer | None:
    if answer is None:
        return None
    facts = [msgspec.structs.replace(fact, says=seen.masked(fact.says)) for fact in answer.facts]
    return msgspec.structs.replace(answer, reason=seen.masked(answer.reason), facts=facts)


VIEWS = [
    View(path="/syncs/{sync}/subjects/{subject:path}", asked=SubjectAsked, load=load_subject,
         template="syncs/subject.html", title=lambda m: m.subject, nav="syncs", live=3.0),
    View(path="/syncs/{sync}/accounts/{account:path}", asked=AccountAsked, load=load_account,
         template="syncs/account.html", title=lambda m: f"Account {m.account}", nav="syncs", live=5.0),
    View(path="/syncs/{sync}/plan/{subject:path}", asked=SubjectAsked, load=load_plan, template="syncs/plan.html",
         exact=True, title=lambda m: f"Plan of {m.subject}", nav="syncs"),
    View(path="/why/waiting/{sync}", asked=SubjectAsked, load=load_waiting, template="syncs/waiting.html",
         exact=True, title=lambda m: f"Why is {m.subject} waiting?", nav="syncs", live=3.0),
]
