"""One statement in its database: what it reads, whether it is safe to ask about, and its plans for real values."""

from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.advise.asking.binding import Mismatch, bind
from penstock.advise.asking.database import CannotExplain, Examined
from penstock.advise.asking.keeping import PlansKept
from penstock.advise.asking.parameters import value_sets
from penstock.advise.judging.views import through_views
from penstock.advise.parsing.parse import parse
from penstock.advise.parsing.safety import safety
from penstock.advise.trial.contract import Call, Work
from penstock.domain.advice import Plan, Query, Schema
from penstock.domain.parameters import CannotReproduce
from penstock.domain.parameters import values as kept_values
from penstock.domain.plans import Trap, trap
from penstock.domain.traces import StatementSeen

_NAME = 60
_LEFT_OUT = "'…'"
"""What stands in a statement for a text that may be data."""


class Examination(msgspec.Struct, kw_only=True):
    """What is known of a statement. `work` is what a trial tries; `planned` says that it may be asked about at all."""

    statement: StatementSeen
    database: str
    query: Query
    schema: Schema
    work: Work
    planned: bool = False
    plans: tuple[Plan, ...] = ()
    trap: Trap | None = None
    flipped: str | None = None
    notes: tuple[str, ...] = ()


def examine(database: Examined, statement: StatementSeen, *, kept: PlansKept | None = None, analyse: bool = False
            ) -> Examination:
    """Everything that the explained database can say of a statement. Nothing of it raises: `notes` say what is wrong.
    """
    query = parse(statement.text, database.dialect)
    work = Work(fingerprint=statement.fingerprint, name=_name(statement.text), calls=(), weight_us=statement.total_us)
    found = Examination(statement=statement, database=statement.database or "", query=query, work=work,
                        schema=Schema(dialect=database.dialect))
    if query.fault:
        found.notes = (f"it does not parse: {query.fault}",)
        return found
    try:
        _fill(found, database, kept, analyse)
    except (CannotExplain, CannotReproduce, Mismatch) as error:
        found.notes = (*found.notes, f"it cannot be explained: {error}")
    return found


def _fill(found: Examination, database: Examined, kept: PlansKept | None, analyse: bool) -> None:
    found.schema = database.schema(found.query.tables)
    found.query = parse(through_views(found.statement.text, found.schema), database.dialect, found.schema,
                        first_values(found.statement))
    found.notes += tuple(f"{name}: {why}" for name, why in found.schema.missing)
    if found.query.hidden == "all":
        found.notes += ("none of its own values was kept, so nothing can be asked about it: app.database(…,"
                        " parameters='plain') keeps numbers and single words from now on",)
        return
    if found.query.hidden == "texts":
        found.notes += ("texts of its own that may be data were not kept: it is asked about with '…' in their place,"
                        " as if that were a rare value; app.database(…, parameters='all') keeps them from now on",)
    judged = safety(found.statement.text, database.dialect)
    as_written = msgspec.structs.replace(found.query, text=found.statement.text)
    doubts = database.doubts(as_written, judged, found.schema)
    if not judged.explain or doubts:
        found.notes += (*judged.reasons, *(f"it is not explained, since {each}" for each in doubts))
        return
    if not judged.analyse:
        found.notes += judged.reasons
    far = [table.name for table in found.schema.tables if table.kind == "foreign"]
    found.notes += tuple(f"it reads {name}, which lies in another database: it is planned, and never run"
                         for name in far)
    runs = judged.analyse and not far
    found.planned = True
    if _LEFT_OUT in found.statement.text:
        found.notes += (f"a text in it was not kept ({_LEFT_OUT}), so it is explained for another one: name its"
                        ' database with parameters="all" to have it kept',)
    sets = value_sets(found.statement, found.query, found.schema)
    found.notes += tuple(dict.fromkeys(each for values in sets for each in values.assumed))
    found.work = msgspec.structs.replace(found.work, runs=runs, calls=tuple(
        Call(label=values.label, values=values.values,
             bound=bind(found.statement.text, values.values, database.dialect))
        for values in sets))
    found.plans = tuple(database.explain(call.bound, analyse=analyse and runs, parameters=call.label)
                        for call in found.work.calls)
    found.work = msgspec.structs.replace(found.work, plans=found.plans, tables=frozenset(found.query.tables))
    found.trap = _trap(found.plans, found.schema)
    found.flipped = _between(found.plans)
    if kept is not None:
        trapped = [plan.shape for plan in found.plans if trap(plan, found.schema)]
        found.flipped = kept.keep(found.statement.fingerprint, found.database, found.plans, trapped) or found.flipped


def first_values(statement: StatementSeen) -> Any:
    """The values of its first execution; None where they were not all kept."""
    try:
        return kept_values(statement.samples[0].parameters) if statement.samples else None
    except CannotReproduce:
        return None


def _trap(plans: Sequence[Plan], schema: Schema) -> Trap | None:
    """What is measured, first; of what is only estimated the mildest."""
    traps = [each for plan in plans if (each := trap(plan, schema))]
    measured = [each for each in traps if each.measured]
    if measured:
        return max(measured, key=lambda each: each.looked_at)
    return min(traps, key=lambda each: each.looked_at, default=None)


def _between(plans: Sequence[Plan]) -> str | None:
    """Whether the plan depends on the values, in words."""
    by_shape: dict[str, list[str]] = {}
    for plan in plans:
        by_shape.setdefault(plan.shape, []).append(plan.parameters or "its values")
    if len(by_shape) < 2:
        return None
    return "the plan depends on the values: one for " + ", another for ".join(
        " and ".join(labels) for labels in by_shape.values())


def _name(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _NAME else plain[:_NAME - 1] + "…"
