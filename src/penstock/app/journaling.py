"""The journal: who changed what through the dashboard or its API. It is written before a change, and again after it."""

from penstock.app.storing import Storing
from penstock.domain.jobs import storable
from penstock.domain.journal import Entry
from penstock.store.port import Store

_NEWEST = (1 << 62)
_MOST_CHARACTERS = 2000
_PRUNE_BATCH = 1000


class Journaling(Storing):
    """Writes and reads it."""

    def journal(self, *, actor: str | None = None, about: str | None = None, before: int | None = None,
                limit: int = 100) -> list[Entry]:
        """Changes, the newest first: of one who made them, or about one thing (`job:7`). The next page is `before` the
        id of the last."""
        params = {"actor": actor, "about": about, "before": _NEWEST if before is None else before, "count": limit}
        return [Entry(*row) for row in self.store.look("journal", params)]

    def journal_begin(self, actor: str, action: str, about: str) -> int:
        """Write that somebody is about to change something; return the entry's number."""
        params = {"actor": _short(actor), "action": _short(action), "about": _short(about)}
        return int(self.store.write(lambda tx: tx.rows("journal_begin", params))[0][0])

    def journal_end(self, id: int, *, said: str, about: str | None = None, before: str | None = None,
                    after: str | None = None) -> None:
        """Write what came of it."""
        params = {"id": id, "said": _short(said), "about": _short(about), "before": _short(before),
                  "after": _short(after)}
        self.store.write(lambda tx: tx.execute("journal_end", params))


def prune_journal(store: Store, kept_days: float) -> None:
    """Remove what is past its time, in bounded batches."""
    params = {"kept_ms": round(kept_days * 86_400_000), "count": _PRUNE_BATCH}
    while store.write(lambda tx: tx.execute("journal_prune", params)) == _PRUNE_BATCH:
        pass


def _short(text: str | None) -> str | None:
    return None if text is None else storable(text)[:_MOST_CHARACTERS]
