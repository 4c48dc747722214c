"""Alerts: what is wrong with work as a whole, told once when it begins and once when it is over.

A *condition* is something that is found to be wrong, under a name (`kind` and `about`). While it is found, one alert of
that name fires; the alert is over once the condition has not been found for a while, so that what comes and goes is not
told each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from penstock.domain.errors import ConfigurationError

Kind = Literal["failing", "gate closed", "backlog", "deletes withheld", "no progress"]
State = Literal["firing", "recovered"]
_LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Alerts:
    """From when on something is worth an alert; None switches a kind off.

    `failing_runs`: how many runs in a row of one subject have failed. `failing_jobs`: how many jobs of a task were
    discarded while no more than that were completed. `gate_closed`: for how long a gate has not been open.
    `job_waits`, `run_waits`: how long the oldest job of a queue, or run of a sync, that is due has waited.
    `no_progress`: for how long nothing was settled while something waited. `deletes_withheld`: whether to tell that
    deletes wait for approval. An alert is over once its condition has not been found for `calm`. `accounts`: with more
    failing accounts of one sync than that, one alert for the sync stands for them.
    """

    failing_runs: int | None = 1
    failing_jobs: int | None = 10
    gate_closed: timedelta | None = timedelta(minutes=15)
    job_waits: timedelta | None = timedelta(minutes=30)
    run_waits: timedelta | None = timedelta(hours=6)
    no_progress: timedelta | None = timedelta(minutes=30)
    deletes_withheld: bool = True
    calm: timedelta = timedelta(minutes=1)
    accounts: int = 10

    def __post_init__(self) -> None:
        faults = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "deletes_withheld" or (value is None and each.name not in ("calm", "accounts")):
                continue
            if each.name in ("failing_runs", "failing_jobs", "accounts"):
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    faults.append(f"Alerts: {each.name}: expected a whole number from 1 on, got {value!r}")
            elif not isinstance(value, timedelta) or not timedelta(0) <= value <= _LONGEST:
                faults.append(f"Alerts: {each.name}: expected a timedelta from 0 to 3,650 days, got {value!r}")
        if faults:
            raise ConfigurationError(faults)


class Alert(msgspec.Struct, frozen=True):
    """One change of state, as it is told. Times are in milliseconds since 1970, UTC, by the database's clock.

    `id` is of this change: what is told again after a crash has the same one. `about` names what it is about, and
    `kind` what is wrong with it; `state` is `firing` or `recovered`. `since_at` is when it began to fire, `changed_at`
    when this was found. `summary` is for people, `details` for programs.
    """

    id: int
    kind: str
    about: str
    state: str
    since_at: int
    changed_at: int
    summary: str
    details: dict[str, Any]


class Firing(msgspec.Struct, frozen=True):
    """An alert that fires. `calm_at` is since when its condition has not been found; None while it is."""

    kind: str
    about: str
    since_at: int
    calm_at: int | None
    summary: str
    details: dict[str, Any]


class Name(NamedTuple):
    """What an alert is known by."""

    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that was found to be wrong."""

    kind: Kind
    about: str
    summary: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> Name:
        return Name(self.kind, self.about)


@dataclass(slots=True)
class Changes:
    """What becomes of the alerts: those to raise, those that are over, and since when others have been calm."""

    raised: list[Condition] = field(default_factory=list)
    over: list[Firing] = field(default_factory=list)
    calm_at: dict[Name, int | None] = field(default_factory=dict)


def changes(firing: Mapping[Name, Firing], found: Iterable[Condition], now: int, calm_ms: int) -> Changes:
    """What changes when these conditions are found `now`. Each alert is raised once, and over once."""
    told = Changes()
    names = set()
    for condition in found:
        if condition.name in names:
            continue
        names.add(condition.name)
        alert = firing.get(condition.name)
        if alert is None:
            told.raised.append(condition)
        elif alert.calm_at is not None:
            told.calm_at[condition.name] = None
    for name, alert in firing.items():
        if name in names:
            continue
        if now - (now if alert.calm_at is None else alert.calm_at) >= calm_ms:
            told.over.append(alert)
        elif alert.calm_at is None or alert.calm_at > now:  # or the clock was set back
            told.calm_at[name] = now
    return told
