"""One job with everything that the store knows of it. What it may be shown as is for the caller to say."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import msgspec

from penstock.domain.listing import AttemptFailed, JobFound, Moment, Waited
from penstock.queue.listing.search import named
from penstock.store.port import Store, Transaction

MOST_NAMED = 20
"""So many of those that it waits for, and that wait for it, are told of."""
MOST_FAILURES = 25
"""So many errors of its attempts are kept and told."""
_MOMENTS = {"enqueued_at": "enqueued", "run_at": "due", "attempted_at": "claimed", "told_at": "progress",
            "asked_at": "asked to end", "finished_at": "", "deadline_at": "deadline", "prune_at": "kept"}


def found(store: Store, job_id: int, shown: Callable[[str, int, str, str | None], tuple[str, str | None]]
          ) -> JobFound | None:
    """None where there is no such job (any more). `shown` makes of a task, an id, arguments and a result what people
    see."""
    return store.read(lambda tx: _read(tx, job_id, shown))


def _read(tx: Transaction, job_id: int,
          shown: Callable[[str, int, str, str | None], tuple[str, str | None]]) -> JobFound | None:
    row = tx.row("job_found", {"id": job_id})
    if row is None:
        return None
    given: dict[str, Any] = dict(zip([each.name for each in fields(JobFound)], row, strict=False))
    given["arguments"], given["result"] = shown(given["task"], given["id"], given["arguments"], given["result"])
    given["tags"] = _tags(given["tags"])
    waits_for = [id for (id,) in tx.rows("why_waits", {"id": job_id, "count": MOST_NAMED})]
    awaited_by = [id for (id,) in tx.rows("job_awaited_by", {"id": job_id, "count": MOST_NAMED})]
    known = named(tx, [*waits_for, *awaited_by]) if waits_for or awaited_by else {}
    failures = tx.rows("attempt_errors", {"id": job_id, "count": MOST_FAILURES})
    return JobFound(**given, timeline=_timeline(given), failures=tuple(AttemptFailed(*each) for each in failures),
                    waits_for=tuple(_waited(tx, id, known) for id in waits_for),
                    awaited_by=tuple(_waited(tx, id, known) for id in awaited_by))


def awaited_by(store: Store, id: int) -> list[Waited]:
    """Who waits for a job or a batch, the first of them."""
    def read(tx: Transaction) -> list[Waited]:
        ids = [id for (id,) in tx.rows("job_awaited_by", {"id": id, "count": MOST_NAMED})]
        known = named(tx, ids) if ids else {}
        return [_waited(tx, each, known) for each in ids]

    return store.read(read)


def _tags(found: Sequence[str] | str | None) -> tuple[str, ...]:
    """Tags as a database has them: as a list, or as JSON."""
    listed = msgspec.json.decode(found, type=list[str] | None) if isinstance(found, str) else found
    return tuple(listed or ())


def _waited(tx: Transaction, id: int, known: dict[int, tuple[str, str, bool]]) -> Waited:
    if id in known:
        task, state, _ = known[id]
        return Waited(id, "job", task, state)
    if batch := tx.row("why_batch", {"id": id}):
        closed, _, _, finished_at = batch
        return Waited(id, "batch", None, "ended" if finished_at is not None else "closed" if closed else "open")
    return Waited(id, "job", None, None)


def _timeline(given: dict[str, Any]) -> tuple[Moment, ...]:
    """What happened to it and what will, in the order of time. When earlier attempts failed
    is told with their errors."""
    began = given["enqueued_at"]  # an attempt that has ended is known by how long it took, on another clock
    moments = [Moment(what or given["state"], max(given[name], began)) for name, what in _MOMENTS.items()
               if given[name] is not None and (name != "run_at" or given["run_at"] > began)]
    return tuple(sorted(moments, key=lambda each: each.at))
