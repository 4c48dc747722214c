"""Periodic tasks: what is enqueued by the clock, when next, and what was missed."""

import msgspec

from penstock.schedule.periodic import PeriodicSeen
from penstock.web.declared import Action, Done, Seen, View

LATE_MS = 10_000
"""A tick is dealt with by whoever looks next, which takes a moment: later than that it is missed."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


class OnePeriodic(msgspec.Struct, frozen=True, kw_only=True):
    """Which periodic task."""

    name: str


class Periodics(msgspec.Struct, frozen=True):
    """The periodic tasks, by name; `late_ms` after its time a tick counts as missed."""

    periodics: list[PeriodicSeen]
    late_ms: int = LATE_MS


def load(seen: Seen, asked: Asked) -> Periodics:
    """Every periodic task that this app declares or the store knows."""
    return Periodics(seen.app.periodic_tasks())


def pause(seen: Seen, asked: OnePeriodic) -> Done:
    """Let the ticks of a periodic task go by."""
    changed = seen.app.pause_periodic(asked.name)
    said = f"{asked.name} is paused: its ticks go by" if changed else f"{asked.name} was paused already"
    return Done(said, "/periodic", f"periodic:{asked.name}", "on" if changed else "paused", "paused")


def resume(seen: Seen, asked: OnePeriodic) -> Done:
    """Let it tick again, from now."""
    changed = seen.app.resume_periodic(asked.name)
    said = f"{asked.name} goes on from now" if changed else f"{asked.name} was not paused"
    return Done(said, "/periodic", f"periodic:{asked.name}", "paused" if changed else "on", "on")


VIEWS = [View(path="/periodic", asked=Asked, load=load, template="periodic.html", title="Periodic tasks",
              nav="periodic", live=5.0)]
ACTIONS = [Action(path="/periodic/pause", asked=OnePeriodic, do=pause),
           Action(path="/periodic/resume", asked=OnePeriodic, do=resume)]
