"""Windows: what each one's time went to."""

import msgspec

from penstock.web.declared import Seen, View
from penstock.web.pages.of_syncs import PAGE, WindowShown, existing, window_shown


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


VIEWS = [View(path="/windows", asked=Asked, load=load, template="windows/list.html", title="Windows", nav="windows",
              live=5.0)]
