"""Subjects by the clock: with `every=` each is requested at least that often, with `cron=` all of them at each tick.

`subjects()` is user code, so it is read by a job, page by page and outside of any transaction. With `every=` that job
keeps a row for each subject, which says when it is due: first at a time that its name gives, so that all are spread
evenly over the period; later, a period after it was last requested, by whomever. Dispatchers request what is due, from
those rows.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import blake2b
from itertools import islice
from typing import Any, Protocol

from penstock.domain.errors import DeclarationError
from penstock.domain.records import Subject
from penstock.domain.ticks import read_schedule
from penstock.queue.task import Task
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition

LOOK_TASK, REQUEST_TASK = "penstock.subjects", "penstock.request-subjects"
_PAGE = 1000
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(hours=1)
_LATE_MS = 2000


class App(Protocol):
    """What is needed of the app."""

    tasks: dict[str, Task[Any, Any]]

    @property
    def store(self) -> Store: ...

    @property
    def task(self) -> Callable[..., Any]: ...

    @property
    def periodic(self) -> Callable[..., None]: ...

    def definition(self, sync: str) -> SyncDefinition: ...

    def request(self, requests: list[dict[str, Any]], connection: Any = None) -> None: ...


def period_ms(every: timedelta) -> int:
    """How far two requests of a subject are apart: a little less than `every`, since what is due is seen a little late.
    """
    whole = every // timedelta(milliseconds=1)
    return whole - min(whole // 20, _LATE_MS)


def declared(app: App, definition: SyncDefinition, queue: str, timezone: str) -> None:
    """Have a sync's subjects requested by the clock, if it says when. Raises `DeclarationError` with what is wrong."""
    every, cron = definition.options.every, definition.options.cron
    if every is None and cron is None:
        return
    _, faults = read_schedule(cron, every, timezone)
    if faults:
        raise DeclarationError([f"{definition.name}: {fault}" for fault in faults])
    if every is not None:
        if LOOK_TASK not in app.tasks:
            app.task(name=LOOK_TASK, queue=queue)(lambda sync: look(app.store, app.definition(sync)))
        between = min(max(every / 4, _SHORTEST), _LONGEST)
        app.periodic(f"{LOOK_TASK}.{definition.name}", app.tasks[LOOK_TASK].call(definition.name),
                     every=timedelta(seconds=int(between.total_seconds())))
        return
    if REQUEST_TASK not in app.tasks:
        app.task(name=REQUEST_TASK, queue=queue)(lambda sync: request_all(app, app.definition(sync)))
    app.periodic(f"{REQUEST_TASK}.{definition.name}", app.tasks[REQUEST_TASK].call(definition.name), cron=cron,
                 timezone=timezone)


def look(store: Store, definition: SyncDefinition) -> None:
    """Take note of the subjects that there are: new ones become due within a period, those that are gone no more."""
    assert definition.options.every is not None
    period = period_ms(definition.options.every)
    began = _now(store)
    for page in _pages(definition):
        columns: dict[str, list[Any]] = {
            "subjects": [each.key for each in page], "accounts": [each.account for each in page],
            "due_ats": [_first_due(definition.name, each.key, began, period) for each in page]}
        _write(store, "subjects_seen", columns, definition.name, seen_at=began, latest=began + period)
    while _forgotten(store, definition.name, began) == _PAGE:
        pass


def request_all(app: App, definition: SyncDefinition) -> None:
    """Request every subject."""
    for page in _pages(definition):
        app.request([{"sync": definition.name, "subject": each.key, "account": each.account, "priority": 0,
                      "reason": "cron", "options": ""} for each in page])


def _write(store: Store, name: str, columns: dict[str, list[Any]], sync: str, **params: int) -> None:
    store.write(lambda tx: tx.batch(name, {**columns, "sync": sync, **params}))


def _forgotten(store: Store, sync: str, before: int) -> int:
    return store.write(lambda tx: tx.execute("subjects_forget", {"sync": sync, "before": before, "count": _PAGE}))


def _pages(definition: SyncDefinition) -> Iterator[list[Subject]]:
    subjects = iter(definition.sync.subjects())
    while page := list({each.key: each for each in islice(subjects, _PAGE)}.values()):
        yield page


def _first_due(sync: str, key: str, now: int, period: int) -> int:
    """The next of the times that belong to a subject: its name says where in the period they lie."""
    digest = blake2b(f"{sync}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return now + (int.from_bytes(digest) - now) % period


def _now(store: Store) -> int:
    row = store.read(lambda tx: tx.row("now"))
    assert row is not None
    return int(row[0])
