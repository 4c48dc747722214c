"""Which runs there are and were, the newest first, a page at a time.

A page costs as many index look-ups as there are states and syncs to look at, however many runs there are.
"""

from collections.abc import Sequence
from heapq import merge
from itertools import islice

from penstock.domain.errors import ConfigurationError
from penstock.domain.names import did_you_mean
from penstock.store.port import Store, Transaction
from penstock.sync.state.runs import RunRow

STATUSES = ("pending", "running", "succeeded", "failed", "cancelled")
_NEWEST = (1 << 63) - 1


def runs(store: Store, syncs: Sequence[str], *, subject: str | None = None, account: str | None = None,
         status: str | None = None, before: int | None = None, limit: int = 100) -> list[RunRow]:
    """The newest runs of these syncs, those with an id below `before`.

    Raises `ConfigurationError` for a status that there is not, for a subject or an account of more than one
    sync, and for both of them.
    """
    if status is not None and status not in STATUSES:
        raise ConfigurationError(f"status: expected one of {', '.join(STATUSES)}, got {status!r}"
                                 f"{did_you_mean(status, STATUSES)}")
    if (subject is not None or account is not None) and len(syncs) != 1:
        raise ConfigurationError("expected the sync's name beside a subject or an account, which are names within it")
    if subject is not None and account is not None:
        raise ConfigurationError("expected a subject or an account, got both: a subject has one account")
    params = {"before": _NEWEST if before is None else before, "count": limit, "subject": subject, "account": account}

    def of_subject(tx: Transaction) -> list[RunRow]:
        rows = tx.rows("runs_page_subject", {**params, "sync": syncs[0], "status": status})
        return [RunRow(*row) for row in rows]

    def of_all(tx: Transaction) -> list[RunRow]:
        name = "runs_page" if account is None else "runs_page_account"
        pages = [[RunRow(*row) for row in tx.rows(name, {**params, "sync": sync, "status": each})]
                 for sync in syncs for each in ([status] if status else STATUSES)]
        return list(islice(merge(*pages, key=lambda run: run.id, reverse=True), limit))

    return store.read(of_all if subject is None else of_subject)
