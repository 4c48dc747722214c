"""Why work of one name is slow, summed up: where its time goes, whether that has changed, and what to do next."""

from collections.abc import Sequence

import msgspec

from penstock.domain.lasting import lasting
from penstock.domain.traces import Kind, StatementSeen
from penstock.observe.patterns import Pattern, Work, patterns
from penstock.observe.patterns.contract import REST
from penstock.observe.patterns.evidence import calls, each, short, site, spent
from penstock.observe.rank import Ranked
from penstock.observe.rank_runs import RankedRuns
from penstock.observe.trend import Trend

_PLURAL: dict[Kind, str] = {"task": "attempts", "window": "windows", "run": "runs", "layer": "layers of runs",
                            "trace": "traces"}
_SINGULAR: dict[Kind, str] = {"task": "attempt", "window": "window", "run": "run", "layer": "layer of a run",
                              "trace": "trace"}
_MUCH = 0.2
"""Of the wall time: what takes less cannot make work much faster by being gone."""


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """The statement that took the most time of a name: its share of the wall time, and where it comes from."""

    text: str
    fingerprint: str
    database: str | None
    total_us: int
    share: float
    calls: int
    site: str | None
    says: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The last time that it failed, `at` milliseconds of the epoch, and as far as they are known its job, run and
    subject."""

    at: int
    error: str | None = None
    job_id: int | None = None
    run_id: int | None = None
    subject: str | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the traces of one name. `since` and `until` bound them, in milliseconds of the epoch.

    Where nothing is known `ranked` is None, `says` says so and `next` what to do about it. `kinds` are others that
    bear the same name, `subject` is in words the slowest subject of a sync.
    """

    name: str
    says: str
    next: str
    since: int
    until: int
    ranked: Ranked | None = None
    trend: Trend | None = None
    worst: Worst | None = None
    patterns: list[Pattern] = []
    failure: Failure | None = None
    subject: str | None = None
    kinds: list[Kind] = []


def worst(work: Work) -> Worst | None:
    """The statement that took the most time; None where there was none."""
    known = [each for each in work.statements if each.fingerprint != REST]
    seen: StatementSeen | None = max(known, key=lambda one: one.total_us, default=None)
    if seen is None or not seen.total_us:
        return None
    place = site(seen.sites)
    says = (f"{spent(seen.total_us, work)}: `{short(seen.text)}`" + (f" at {place}" if place else "")
            + f", {calls(seen)}, {each(seen)}")
    return Worst(text=seen.text, fingerprint=seen.fingerprint, database=seen.database, total_us=seen.total_us,
                 share=work.share(seen.total_us), calls=seen.calls, site=place, says=says)


def summed(work: Work, ranked: Ranked, trend: Trend, *, since: int, until: int, failure: Failure | None = None,
           slowest: RankedRuns | None = None, kinds: Sequence[Kind] = ()) -> Summary:
    """The summary of what was traced; of a sync with the subject whose runs are `slowest`."""
    found, blamed = patterns(work), worst(work)
    many = f"{ranked.traces:,} {_PLURAL[ranked.kind] if ranked.traces != 1 else _SINGULAR[ranked.kind]}"
    says = (f"{many} in the last {_span(until - since)} took {lasting(ranked.total_us)}, {ranked.share:.0%}"
            f" of what all {_PLURAL[ranked.kind]} took" + (f"; {ranked.failed:,} failed" if ranked.failed else ""))
    subject = None if slowest is None else (
        f"{slowest.name}" + (f" of {slowest.account}" if slowest.account else "")
        + f": p95 {lasting(slowest.p95_us)}; runs: {slowest.runs:,}, failed: {slowest.failed:,}")
    return Summary(name=ranked.name, says=says, next=_next(ranked, blamed, found), since=since, until=until,
                   ranked=ranked, trend=trend, worst=blamed, patterns=found, failure=failure, subject=subject,
                   kinds=list(kinds))


def told_of_nothing(name: str, declared: bool, near: str, *, since: int, until: int) -> Summary:
    """The summary of a name under which nothing was traced; `near` is a clause that names the nearest one."""
    in_time = f"nothing was traced under this name in the last {_span(until - since)}"
    if declared:
        return Summary(name=name, says=f"{in_time}: it is declared here, and has not run", since=since, until=until,
                       next=f"penstock why {name} SUBJECT, or penstock why JOB, if it was asked for and waits")
    return Summary(name=name, says=f"{in_time}, and this app declares no task or sync that is called so{near}",
                   since=since, until=until, next="penstock traces lists the names that there are; `with penstock.trace"
                                                  f"({name!r}, app=app)` would make this one")


def _span(ms: int) -> str:
    days = round(ms / 86_400_000)
    return {1: "day", 7: "week"}.get(days, f"{days} days")


def _next(ranked: Ranked, slowest: Worst | None, found: Sequence[Pattern]) -> str:
    """What to do: about the statement, if there is one to blame; else about the phase that takes the most."""
    name = ranked.name
    first = found[0] if found and found[0].share >= _MUCH else None
    if first is not None:
        return first.faster if first.fingerprint is None else f"penstock advise {name}: {first.faster}"
    if slowest is not None and slowest.share >= _MUCH:
        return f"penstock advise {name}"
    spent_on = {phase: us for phase, us in ranked.phases.items() if us}
    phase = max(spent_on, key=spent_on.__getitem__, default="other")
    return {
        "waited": "penstock queues, and penstock why JOB for one that waits: it waits longer than it takes",
        "limited": "penstock limits: it waits for permits",
        "called": f"penstock traces {name}: it waits for other systems, whose calls are listed there",
        "queried": f"penstock traces {name}: many statements share the time, and are listed there",
        "read": f"penstock traces {name}: it reads its source, by the statements and calls that are listed there",
        "slept": f"penstock traces --flame {name}: it sleeps, and the stacks say where",
        "computed": f"penstock traces --flame {name}: it computes, and the stacks say where",
    }.get(phase, f"penstock traces --flame {name}: the stacks say what it does that no instrument tells")
