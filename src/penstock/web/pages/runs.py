"""Runs: what waits, what is under way and what became of the rest; and one run, layer by layer."""

import msgspec

from penstock.sync.state.tally import LayerCounts
from penstock.sync.telling.history import STATUSES
from penstock.web.declared import Action, Done, NotFound, Seen, View
from penstock.web.frame import to
from penstock.web.pages.of_syncs import (
    PAGE,
    ClassShown,
    RunShown,
    WindowShown,
    class_shown,
    existing,
    run_shown,
    window_shown,
)

_MOST_RECORDS = 500


class RunsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Of a sync, a status, and of a subject or an account of that sync; `before` is the number of the last run shown.
    """

    sync: str | None = None
    status: str | None = None
    subject: str | None = None
    account: str | None = None
    before: int | None = None


class Runs(msgspec.Struct, frozen=True):
    """A page of runs, the newest first. `fault` says why there is none where the filters contradict one another."""

    runs: list[RunShown]
    next: int | None
    syncs: list[str]
    statuses: list[str]
    now: int
    fault: str | None = None


class RunAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A run by its number."""

    id: int


class RunPage(msgspec.Struct, frozen=True):
    """A run: what it did in each layer, the windows that served it, and the errors of its subject's records as they
    stand now."""

    run: RunShown
    size: int | None
    run_at: int
    served_ms: int
    layers: dict[str, LayerCounts]
    windows: list[WindowShown]
    classes: list[ClassShown]
    cancelled_by: str | None
    job_id: int | None
    now: int
    waits: str | None = None
    """What it waits for, while it does."""


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """Why is told to whoever looks at the run."""

    id: int
    reason: str | None = None


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """One point of priority is worth a minute of waiting."""

    id: int
    priority: int


def load_all(seen: Seen, asked: RunsAsked) -> Runs:
    """Runs that wait, are under way or have finished, the newest first."""
    app, fault = seen.app, None
    if asked.sync is None and (asked.subject or asked.account):
        fault = "Subjects and accounts are names within a sync: choose the sync as well."
    elif asked.subject and asked.account:
        fault = "A subject has one account: filter by the one or by the other."
    if asked.sync is not None:
        existing(seen, asked.sync)
    found = [] if fault else app.runs(asked.sync, asked.subject, account=asked.account, status=asked.status,
                                      before=asked.before, limit=PAGE + 1)
    now = app.now_ms()
    return Runs([run_shown(seen, run, now) for run in found[:PAGE]], found[PAGE - 1].id if len(found) > PAGE else None,
                list(app.syncs), list(STATUSES), now, fault)


def load_one(seen: Seen, asked: RunAsked) -> RunPage:
    """One run."""
    app, found = seen.app, seen.app.run(asked.id)
    if found is None:
        raise NotFound(f"There is no run {asked.id}", "It never was, or it was removed when its time was over.")
    run = found.run
    classes = app.error_classes(run.sync, subject=run.subject, most=_MOST_RECORDS) \
        if run.account and run.sync in app.syncs else []
    return RunPage(run_shown(seen, run, found.now), found.size, found.run_at, found.took_ms, found.layers,
                   [window_shown(each, found.now) for each in found.windows],
                   [class_shown(seen, each) for each in classes],
                   None if found.cancelled_by is None else seen.masked(found.cancelled_by), found.job_id, found.now,
                   seen.masked(app.why_run(run.sync, run.subject).reason)
                   if run.status == "pending" and run.sync in app.syncs else None)


def cancel(seen: Seen, asked: Cancel) -> Done:
    """Call a run off. One that is served ends where it may stop next; what it has sent stays sent."""
    before = load_one(seen, RunAsked(id=asked.id)).run
    reason = asked.reason or "no reason was given"
    said = seen.app.cancel_run(asked.id, f"cancelled by {seen.person.name}: {reason}")
    told = {"cancelled": f"run {asked.id} is cancelled", "asked": f"run {asked.id} ends where it may stop next",
            None: f"run {asked.id} is {before.status}: there is nothing to cancel"}[said]
    return Done(told, to("/runs/{}", asked.id), f"run:{asked.id}", before=before.status, after=said or before.status)


def raise_priority(seen: Seen, asked: Raise) -> Done:
    """Ask for the subject of a run again, with another priority: where it waits, the higher one counts."""
    run = load_one(seen, RunAsked(id=asked.id)).run
    existing(seen, run.sync)
    if run.status != "pending":
        return Done(f"run {run.id} is {run.status}: only one that waits has a place to be moved from",
                    to("/runs/{}", run.id), f"run:{run.id}", before=run.status, after=run.status)
    seen.app.raise_run(run.id, asked.priority, reason=f"asked by {seen.person.name}"[:200])
    return Done(f"run {run.id} goes with priority {max(run.priority, asked.priority)} as soon as a dispatcher has seen"
                " it", to("/runs/{}", run.id), f"run:{run.id}", before=f"priority {run.priority}",
                after=f"priority {max(run.priority, asked.priority)}")


VIEWS = [
    View(path="/runs", asked=RunsAsked, load=load_all, template="runs/list.html", title="Runs", nav="runs", live=3.0),
    View(path="/runs/{id}", asked=RunAsked, load=load_one, template="runs/one.html",
         title=lambda m: f"Run {m.run.id}", nav="runs", live=2.0),
]
ACTIONS = [
    Action(path="/runs/{id}/cancel", asked=Cancel, do=cancel),
    Action(path="/runs/{id}/priority", asked=Raise, do=raise_priority),
]
