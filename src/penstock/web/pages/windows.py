"""Windows: what each one's time went to."""

import msgspec

from penstock.web.declared import NotFound, Seen, View
from penstock.web.pages.of_syncs import PAGE, RunShown, WindowShown, existing, run_shown, window_shown

_AT_WORK = 10


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of a sync, and of an account of it; `before` is the number of the last window shown."""

    sync: str | None = None
    account: str | None = None
    before: int | None = None


class Windows(msgspec.Struct, frozen=True):
    """A page of windows, the newest first."""

    windows: list[WindowShown]
    syncs: list[str]
    next: int | None
    now: int
    fault: str | None = None


def load(seen: Seen, asked: Asked) -> Windows:
    """Windows, the newest first: fetch, the runs that were served, and the time that was left."""
    app, now = seen.app, seen.app.now_ms()
    fault = "Accounts are names within a sync: choose the sync as well." if asked.account and not asked.sync else None
    names = list(app.syncs) if asked.sync is None else [existing(seen, asked.sync)]
    found = [] if fault else sorted(
        (each for name in names
         for each in app.windows(name, account=asked.account, before=asked.before, limit=PAGE + 1)),
        key=lambda each: -each.id)
    next_ = found[PAGE - 1].id if len(found) > PAGE else None
    return Windows([window_shown(each, now) for each in found[:PAGE]], list(app.syncs), next_, now, fault)


class OneAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A window by its number."""

    id: int


class OneWindow(msgspec.Struct, frozen=True):
    """A window. While it is at work, `under_way` are the runs of its account that are served."""

    window: WindowShown
    under_way: list[RunShown]
    now: int


def load_one(seen: Seen, asked: OneAsked) -> OneWindow:
    """One window: what it served, in which order, and where its time went."""
    app, now = seen.app, seen.app.now_ms()
    found = app.window(asked.id)
    if found is None:
        raise NotFound(f"There is no window {asked.id}", "It never was, or it is from more than 30 days ago.")
    running = []
    if found.ended_at is None and found.sync in app.syncs:
        running = app.runs(found.sync, account=found.account, status="running", limit=_AT_WORK)
    return OneWindow(window_shown(found, now), [run_shown(seen, run, now) for run in running], now)


VIEWS = [View(path="/windows", asked=Asked, load=load, template="windows/list.html", title="Windows", nav="windows",
              live=5.0),
         View(path="/windows/{id}", asked=OneAsked, load=load_one, template="windows/one.html",
              title=lambda m: f"Window {m.window.id}", nav="windows", live=3.0)]
