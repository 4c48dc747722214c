"""What would make work faster, as `penstock advise` found it. Nothing is asked of another database from here."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from penstock.app.looking import SlowStatement
from penstock.domain.advice import Candidate, Plan, Verdict
from penstock.observe.kept import HOUR_MS
from penstock.observe.over_time import step_ms
from penstock.observe.patterns import PlanSeen
from penstock.web.declared import NotFound, Seen, View
from penstock.web.planned import MEANS, Compared, compared, named
from penstock.web.spent import LONGEST_TEXT

if TYPE_CHECKING:
    from penstock.advise.shipping.following import Kept
    from penstock.app.advised import CallsAt

_MOST_STRETCHES, _LEAST_HOURS = 96, 24
_STATES = {"proposed": "waiting", "shipped": "running", "worked": "good", "no change": "warn", "worse": "bad"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """On work of which name; of all without."""

    name: str = ""


class AdviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of advice. `state` is what became of it, `shown` the colour of that; moments are milliseconds."""

    id: str
    name: str
    statement: str | None
    index: str
    state: str
    shown: str
    confidence: str | None
    gain: float | None
    changed_at: int
    after: str | None


class AdviceList(msgspec.Struct, frozen=True, kw_only=True):
    """What was advised, the newest change first; and slow statements that nobody has asked advice for."""

    advice: list[AdviceRow]
    slow: list[SlowStatement]
    named: bool
    """Whether this app names a database that may be explained."""


class AskedOne(msgspec.Struct, frozen=True, kw_only=True):
    """Advice by its id."""

    id: str


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """What was considered, and why it is not proposed. `decision` is that of a trial, if there was one."""

    what: str
    reason: str
    decision: str


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What the statement came to in an hour, or in some: calls, and how long one took on average, in microseconds.
    `since_there` is whether the index was there."""

    at: int
    calls: int
    mean_us: int
    since_there: bool


class CallsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the statement really came to: calls, their time in all and on average, in microseconds."""

    calls: int
    total_us: int
    mean_us: int


class OneAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of advice, with all that the store has of it. Times are microseconds, moments milliseconds.

    `before_us` and `after_us` were measured in a trial, None where nothing was timed; `means` says how it was tried.
    `now` is what the statement came to in the last four weeks while the index was not there, `since` while it was.
    """

    row: AdviceRow
    text: str | None
    database: str
    fingerprint: str
    made_at: int
    what: str
    why: str
    reason: str
    by: str | None
    harmed: list[str]
    size: int | None
    insert_us: float | None
    wal_bytes: float | None
    before_us: int | None
    after_us: int | None
    means: str | None
    compared: list[Compared]
    now: CallsSeen | None
    since: CallsSeen | None
    before: str | None
    after: str | None
    parameters: str | None
    rejected: list[Rejected]
    trap: str | None
    flipped: str | None
    notes: list[str]
    plans: list[PlanSeen]
    stretches: list[Stretch]
    watched: str | None
    migrations: dict[str, str]


def load(seen: Seen, asked: Asked) -> AdviceList:
    """What was advised."""
    kept = seen.app.advice_kept(asked.name or None)
    told = {(each.name, each.fingerprint) for each in kept}
    slow = [] if asked.name else [each for each in seen.app.slow_statements()
                                  if (each.name, each.statement.fingerprint) not in told]
    return AdviceList(
        advice=[_row(seen, each) for each in kept], named=bool(seen.app.databases),
        slow=[msgspec.structs.replace(each, statement=msgspec.structs.replace(
            each.statement, text=seen.masked(each.statement.text)[:LONGEST_TEXT] or None)) for each in slow])


def load_one(seen: Seen, asked: AskedOne) -> OneAdvice:
    """One piece of advice: the index, its plans, what was rejected, the migration, and what became of it."""
    found = seen.app.advice_found(asked.id)
    if found is None:
        raise NotFound("There is no advice of this id (any more)", "penstock advise NAME asks for advice again.")
    kept, verdict, considered = found.kept, found.kept.verdict, found.kept.considered
    cost, masked = verdict.write_cost, seen.masked
    there = sys.maxsize if kept.state == "proposed" else kept.changed_at
    rejected = [Rejected(what=_what(each.candidate, each), reason=masked(each.reason), decision=each.decision)
                for each in (considered.verdicts if considered else ())]
    rejected += [Rejected(what=each.what, reason=masked(each.reason), decision="not tried")
                 for each in (considered.rejections if considered else ())]
    return OneAdvice(
        row=_row(seen, kept), text=masked(found.text) or None, database=seen.database(kept.database),
        fingerprint=kept.fingerprint, made_at=kept.made_at, what=_what(kept.candidate, verdict),
        why=kept.candidate.why,
        reason=masked(verdict.reason), by=verdict.by, size=verdict.size,
        harmed=[masked(each) for each in verdict.harmed],
        means=MEANS.get(verdict.by or "", verdict.by), compared=compared(verdict),
        now=_calls([each for each in found.hours if each.at < there]),
        since=_calls([each for each in found.hours if each.at >= there]),
        insert_us=cost.insert_us if cost else None, wal_bytes=cost.wal_bytes if cost else None,
        before_us=verdict.measured_before.took_us if verdict.measured_before else None,
        after_us=verdict.measured_after.took_us if verdict.measured_after else None,
        before=_plan(seen, verdict.before), after=_plan(seen, verdict.after, kept.candidate.name),
        parameters=verdict.before.parameters if verdict.before else None, rejected=rejected,
        trap=masked(considered.trap) or None if considered else None,
        flipped=masked(considered.flipped) or None if considered else None,
        notes=[masked(each) for each in (considered.notes if considered else ())],
        plans=[msgspec.structs.replace(each, text=masked(each.text)) for each in found.plans],
        stretches=_stretches(found.hours, None if kept.state == "proposed" else kept.changed_at),
        watched=found.watched.says if found.watched else None,
        migrations={str(style): text for style, text in found.migrations.items()})


def _stretches(hours: "Sequence[CallsAt]", there_at: int | None) -> list[Stretch]:
    """Hours from the first to the last, those without a call as well; some together where there are many."""
    if not hours:
        return []
    since, until = hours[0].at, max(hours[-1].at + HOUR_MS, hours[0].at + _LEAST_HOURS * HOUR_MS)
    step = step_ms(since, until, _MOST_STRETCHES)
    calls, total = ([0] * -(-(until - since) // step) for _ in range(2))
    for each in hours:
        calls[(each.at - since) // step] += each.calls
        total[(each.at - since) // step] += each.total_us
    there = until if there_at is None else there_at
    return [Stretch(at=at, calls=count, mean_us=spent // max(count, 1), since_there=at >= there)
            for at, count, spent in zip(range(since, until, step), calls, total, strict=True)]


def _row(seen: Seen, kept: "Kept") -> AdviceRow:
    return AdviceRow(
        id=kept.id, name=kept.name, index=kept.candidate.name, state=kept.state, shown=_STATES.get(kept.state, "idle"),
        statement=seen.masked(kept.considered.text)[:LONGEST_TEXT] if kept.considered else None,
        confidence=kept.verdict.confidence, gain=kept.verdict.gain, changed_at=kept.changed_at, after=kept.after)


def _what(candidate: Candidate | None, verdict: Verdict) -> str:
    """An index as people write it: its table, keys and what else there is."""
    if candidate is None:
        return verdict.rewrite.kind.replace("_", " ") if verdict.rewrite else "nothing"
    keys = ", ".join((key.column or f"({key.expression})") + (" DESC" if key.descending else "")
                     for key in candidate.keys)
    include = f" INCLUDE ({', '.join(candidate.include)})" if candidate.include else ""
    where = f" WHERE {candidate.predicate}" if candidate.predicate else ""
    return f"{candidate.table} ({keys}){include}{where}"


def _plan(seen: Seen, plan: Plan | None, index: str = "") -> str | None:
    return seen.masked(named(plan.text, index) if index else plan.text) if plan else None


def _calls(hours: "Sequence[CallsAt]") -> CallsSeen | None:
    calls, total = sum(each.calls for each in hours), sum(each.total_us for each in hours)
    return CallsSeen(calls=calls, total_us=total, mean_us=total // calls) if calls else None


def title(model: OneAdvice) -> str:
    return f"Index {model.row.index}"


VIEWS = [
    View(path="/advice", asked=Asked, load=load, template="advice/list.html", title="Advice", nav="advice"),
    View(path="/advice/{id}", asked=AskedOne, load=load_one, template="advice/one.html", title=title, nav="advice"),
]
