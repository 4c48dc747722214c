"""The journal: who changed what."""

import msgspec

from penstock.domain.journal import Entry
from penstock.web.declared import Seen, View

_PAGE = 50


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Filters, and where the page begins."""

    actor: str | None = None
    about: str | None = None
    before: int | None = None


class Journal(msgspec.Struct, frozen=True):
    """Changes, the newest first; `older` is where the next page begins."""

    entries: list[Entry]
    older: int | None


def load(seen: Seen, asked: Asked) -> Journal:
    """Who changed what, the newest first."""
    found = seen.app.journal(actor=asked.actor, about=asked.about, before=asked.before, limit=_PAGE + 1)
    shown = found[:_PAGE]
    return Journal(shown, shown[-1].id if len(found) > _PAGE else None)


VIEWS = [View(path="/journal", asked=Asked, load=load, template="journal.html", title="Journal", nav="journal")]
