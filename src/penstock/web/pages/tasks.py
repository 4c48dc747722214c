"""Which work takes the time, and where it goes: tasks, and whatever else is traced under a name."""

import msgspec

from penstock.domain.names import did_you_mean
from penstock.domain.traces import Kind
from penstock.observe.over_time import Ranking, Stretch
from penstock.observe.patterns import Pattern
from penstock.observe.rank import By, Ranked
from penstock.observe.trend import Trend
from penstock.web.declared import NotFound, Seen, View
from penstock.web.spent import (
    SPANS,
    KeptRow,
    Route,
    Since,
    Statement,
    advice_by_statement,
    kept_rows,
    route,
    statement,
)

_MOST, _STATEMENTS, _ROUTES, _SLOWEST = 100, 25, 15, 12
_PREFERRED: tuple[Kind, ...] = ("task", "run", "trace", "layer", "window")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which kind, over which time, in which order."""

    kind: Kind = "task"
    since: Since = "24h"
    by: By = "total"


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """The first names in an order, and what all of them came to. Times are microseconds."""

    ranking: Ranking
    traces: int
    failed: int
    total_us: int
    declared: bool
    """Whether this app declares any task."""


class AskedName(msgspec.Struct, frozen=True, kw_only=True):
    """A name, of which kind where several bear it, and over which time."""

    name: str
    kind: Kind | None = None
    since: Since = "24h"


class OneTask(msgspec.Struct, frozen=True, kw_only=True):
    """Work of one name. Times are microseconds; `kinds` are all that bear this name."""

    name: str
    kind: Kind
    kinds: list[Kind]
    since: int
    until: int
    ranked: Ranked | None
    trend: Trend | None
    stretches: list[Stretch]
    patterns: list[Pattern]
    statements: list[Statement]
    statements_in_all: int
    routes: list[Route]
    slowest: list[KeptRow]
    declared: bool
    is_task: bool
    """Whether this app declares a task of this name."""


def load(seen: Seen, asked: Asked) -> Tasks:
    """Which work takes the time."""
    ranking = seen.app.ranking(by=asked.by, kind=asked.kind, since=SPANS[asked.since], limit=_MOST)
    rows = [each.ranked for each in ranking.rows]
    return Tasks(ranking=ranking, traces=sum(row.traces for row in rows), failed=sum(row.failed for row in rows),
                 total_us=sum(row.total_us for row in rows), declared=bool(seen.app.tasks))


def load_one(seen: Seen, asked: AskedName) -> OneTask:
    """Where the time of one name goes."""
    app, span = seen.app, SPANS[asked.since]
    found = {row.kind: row for row in app.traces(asked.name, since=span)}
    declared = asked.name in app.tasks or asked.name in app.syncs
    kinds = [kind for kind in _PREFERRED if kind in found]
    if not found and not declared and not app.slowest_traces(asked.name, since=SPANS["30d"], limit=1):
        near = app.near(asked.name)
        raise NotFound(f"Nothing was traced as {asked.name!r}{near or did_you_mean(asked.name, app.tasks)}",
                       "What is traced under a name stays for as long as the setting traces_kept_days says.")
    default: Kind = kinds[0] if kinds else "run" if asked.name in app.syncs else "task"
    kind = asked.kind if asked.kind in found else default
    ranked, of = found.get(kind), {"kind": kind, "since": span}
    stretches = app.over_time(asked.name, **of)  # type: ignore[arg-type]
    if ranked is None:
        return OneTask(
            name=asked.name, kind=kind, kinds=kinds, since=stretches[0].since, until=stretches[-1].until, ranked=None,
            trend=None, stretches=[], patterns=[], statements=[], statements_in_all=0, routes=[], slowest=[],
            declared=declared, is_task=asked.name in app.tasks)
    work = app.work(asked.name, **of)  # type: ignore[arg-type]
    wall, advice = work.trace.total_us, advice_by_statement(seen, asked.name)
    patterns = [msgspec.structs.replace(each, says=seen.masked(each.says)) for each in app.patterns(work)]
    return OneTask(
        name=asked.name, kind=kind, kinds=kinds, since=stretches[0].since, until=stretches[-1].until, ranked=ranked,
        trend=app.trends([(kind, asked.name)])[kind, asked.name], stretches=stretches, patterns=patterns,
        statements=[statement(seen, each, wall, advice) for each in work.statements[:_STATEMENTS]],
        statements_in_all=len(work.statements), routes=[route(seen, each, wall) for each in work.calls[:_ROUTES]],
        slowest=kept_rows(seen, app.slowest_traces(
            asked.name, limit=_SLOWEST, **of)),  # type: ignore[arg-type]
        declared=declared, is_task=asked.name in app.tasks)


def title(model: OneTask) -> str:
    return model.name


VIEWS = [
    View(path="/tasks", asked=Asked, load=load, template="tasks/list.html", title="Tasks", nav="tasks", live=10.0),
    View(path="/tasks/{name:path}", asked=AskedName, load=load_one, template="tasks/one.html", title=title,
         nav="tasks"),
]
