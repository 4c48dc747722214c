"""Changes that somebody makes through the dashboard, as the site carries them out: with a word in the journal."""

import msgspec

from penstock import Penstock
from penstock.web.declared import SCOPES, Person, Seen
from penstock.web.pages import declared


def press(app: Penstock, who: str, path: str, **asked: object) -> None:
    """Carry out the change that is declared at `path`, by the name of somebody's token."""
    person = Person(who, frozenset(SCOPES))
    action = next(each for each in declared().actions if each.path == path)
    entry = app.journal_begin(who, action.path, path.format_map({key: str(value) for key, value in asked.items()}))
    done = action.do(Seen(app, person), msgspec.convert(asked, action.asked, strict=False))
    app.journal_end(entry, said=done.said, about=done.about, before=done.before, after=done.after)
