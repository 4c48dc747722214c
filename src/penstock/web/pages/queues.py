"""Queues: what waits in each and for how long, how fast it goes, who serves it; pause and resume."""

import msgspec

from penstock.admission.pausing import Pause
from penstock.app import SYNC_QUEUE
from penstock.domain.listing import Backlog, Rates
from penstock.web.declared import Action, Done, Seen, View

_HOUR_MS = 3_600_000
_LATELY = 10
"""So many minutes, before the one that is not over, make up the rate of now."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class OneQueue(msgspec.Struct, frozen=True, kw_only=True):
    """Which queue."""

    queue: str


class QueueSeen(msgspec.Struct, frozen=True):
    """A queue. `completed` and `failed` are by the minute over the last hour, `per_minute` of the last ten of them."""

    backlog: Backlog
    per_minute: float
    completed: list[int]
    failed: list[int]


class Queues(msgspec.Struct, frozen=True):
    """The queues, and what else is paused. Times are milliseconds since 1970, by the database's clock: `now`."""

    queues: list[QueueSeen]
    also_paused: list[Pause]
    now: int


def load(seen: Seen, asked: Asked) -> Queues:
    """Every queue that has had a job, that a task of this app names, or that a worker serves."""
    app = seen.app
    now = app.now_ms()
    found = {each.queue: each for each in app.backlog()}
    slots = app.live_slots()
    paused = app.paused()
    named = {task.queue for task in app.tasks.values() if task.queue != SYNC_QUEUE or app.syncs}
    for queue in {*slots, *named} - set(found):
        at = next((each.paused_at for each in paused if each.queue == queue), None)
        found[queue] = Backlog(queue, None, None, 0, 0, 0, 0, 0, at, slots.get(queue))
    rates = app.rates_by("queue", now - _HOUR_MS)
    return Queues([_seen(each, rates.get(queue)) for queue, each in sorted(found.items())],
                  [each for each in paused if each.queue is None], now)


def _seen(backlog: Backlog, rates: Rates | None) -> QueueSeen:
    if rates is None:
        return QueueSeen(backlog, 0.0, [], [])
    completed, failed = rates.states["completed"], rates.states["discarded"]
    lately = completed[-_LATELY - 1:-1]
    return QueueSeen(backlog, sum(lately) / _LATELY, completed, failed)


def pause(seen: Seen, asked: OneQueue) -> Done:
    """Let nobody claim from a queue until it is resumed; what runs goes on."""
    changed = seen.app.pause(asked.queue)
    said = f"queue {asked.queue} is paused" if changed else f"queue {asked.queue} was paused already"
    return Done(said, "/queues", f"queue:{asked.queue}", "going" if changed else "paused", "paused")


def resume(seen: Seen, asked: OneQueue) -> Done:
    """Let a queue go on."""
    changed = seen.app.resume(asked.queue)
    said = f"queue {asked.queue} goes on" if changed else f"queue {asked.queue} was not paused"
    return Done(said, "/queues", f"queue:{asked.queue}", "paused" if changed else "going", "going")


VIEWS = [View(path="/queues", asked=Asked, load=load, template="queues/list.html", title="Queues", nav="queues",
              live=2.0)]
ACTIONS = [Action(path="/queues/pause", asked=OneQueue, do=pause),
           Action(path="/queues/resume", asked=OneQueue, do=resume)]
