"""From a statement and the tables that it reads to what would make it faster: at most six indexes, the best first."""

from typing import Any

from msgspec import structs

from penstock.advise.parsing.parse import parse
from penstock.advise.proposing.candidates import Shape
from penstock.advise.proposing.estimate.blocks import place
from penstock.advise.proposing.estimate.reckoning import Extra, Reckoning
from penstock.advise.proposing.naming import columns_sql, index_name
from penstock.advise.proposing.weigh import LEAST_SAVED, Weighed, enough, superfluous, weighed, why_not
from penstock.domain.advice import Candidate, Proposal, Query, Rejection, Schema, Table

MOST = 6
"""How many candidates a statement may have: each costs a trial."""
_DEPTH = 4
_LEAST_STEP = 0.9
_WRITES_PER_READ = 10.0


def propose(text: str, schema: Schema, parameters: Any = None) -> Proposal:
    """What would make a statement faster, and why what else was considered would not.

    `schema` holds the tables that it names (`parse(text, dialect).tables` says which), `parameters` the values of one
    execution, as its driver took them. Never raises for what the statement says: a rejection tells what is wrong.
    """
    query = parse(text, schema.dialect, schema, parameters)
    if query.fault is not None:
        return Proposal(query=query, rejections=(Rejection(
            what="the statement", reason=f"it could not be parsed, so nothing can be proposed: {query.fault}"),))
    if not any(block.sources for block in query.blocks):
        return Proposal(query=query, rejections=(Rejection(
            what="the statement", reason="it reads no table, so there is nothing that an index could serve"),))
    reckoning = Reckoning(query, schema)
    considered = weighed(query, schema, reckoning)
    chosen = _chosen(query, schema, reckoning, considered)
    before = reckoning.cost()
    accepted = [_candidate(each, query, before) for each in chosen[:MOST]]
    rejections = [*_unread(query, schema), *_not_served(query, schema, reckoning, chosen, considered),
                  *_left_out(query, schema, before, chosen)]
    kept, heavy = _write_heavy(accepted, chosen, schema, before)
    return Proposal(query=query, candidates=tuple(kept), rejections=(*heavy, *rejections))


def _chosen(query: Query, schema: Schema, reckoning: Reckoning, considered: list[Weighed]) -> list[Weighed]:
    """The best, then the best beside it, and so on; then what would nearly do as well as the first."""
    extra: Extra = ()
    first: list[Weighed] = []
    others: list[Weighed] = []
    together: list[Weighed] = []
    settled = reckoning.cost()
    for depth in range(_DEPTH):
        before = reckoning.cost(extra)
        found = considered if depth == 0 else weighed(query, schema, reckoning, extra)
        # What saves visiting the table is larger, and good only as far as VACUUM comes: it is the second choice.
        best = next((each for each in found if not each.shape.include), None)
        if best is None or best.cost > before * _LEAST_STEP or before - best.cost < LEAST_SAVED:
            break
        # Where several tables are read as a whole, no index halves the cost by itself.
        together.append(best)
        extra = (*extra, (place(best.shape.table), best.shape.index()))
        if enough(settled, best.cost):
            first += [each if len(together) == 1 else structs.replace(each, beside=tuple(
                other.shape.table.name for other in together if other is not each)) for each in together]
            others += [each for each in found if each is not best and enough(before, each.cost)] if depth == 0 else []
            settled, together = best.cost, []
    return [*first, *_alternatives(first, others)]


def _alternatives(first: list[Weighed], others: list[Weighed]) -> list[Weighed]:
    """What differs from the first in more than what it appends: another predicate, other columns, INCLUDE."""
    if not first:
        return []
    found: list[Weighed] = []
    for each in others:
        known = [*first, *found]
        if each.cost <= first[0].cost * 3 and not any(_longer(each.shape, other.shape) for other in known):
            found.append(each)
    return found[:MOST - len(first)]


def _longer(shape: Shape, other: Shape) -> bool:
    """Whether it is the other one with something more, or with the same columns in another order."""
    return shape.table == other.table and shape.predicate_sql == other.predicate_sql and (
        bool(shape.include) == bool(other.include)) and (
        shape.keys[:len(other.keys)] == other.keys or {key.column for key in shape.keys} == {
            key.column for key in other.keys})


def _candidate(weighed: Weighed, query: Query, before: float) -> Candidate:
    shape = weighed.shape
    replaces = tuple(index.name for index in superfluous(shape))
    named = index_name(shape.table.name, shape.keys, shape.include, shape.predicate_sql,
                       [index.name for index in shape.table.indexes])
    return Candidate(table=shape.table.name, schema=shape.table.schema, keys=shape.keys, include=shape.include,
                     predicate=shape.predicate_sql, name=named, appends=shape.appends.name if shape.appends else None,
                     replaces=replaces, why=_why(weighed, replaces, query, before))


def _why(weighed: Weighed, replaces: tuple[str, ...], query: Query, before: float) -> str:
    shape = weighed.shape
    sentences = ["; ".join(dict.fromkeys(shape.roles))]
    if shape.predicate_sql:
        sentences.append(f"only rows with {shape.predicate_sql} are in it, which the statement asks for anyway")
    if shape.include:
        sentences.append(f"{', '.join(shape.include)} ride along, so that the table itself need not be visited")
    if shape.appends:
        sentences.append(f"it appends to {shape.appends.name}, whose columns are just those compared for equality")
    if replaces:
        sentences.append(f"it makes {', '.join(replaces)} superfluous")
    sentences.append(f"by the statistics alone about {before / max(weighed.cost, 1e-9):,.0f} times less work")
    if changed := sorted({key.column for key in shape.keys if key.column} & set(query.assigned)):
        sentences.append(f"this very statement changes {', '.join(changed)}, so each of its rows moves in the index")
    if weighed.beside:
        sentences.append(f"it is worth its keep only beside what is proposed for {', '.join(weighed.beside)}, since"
                         " each of these tables is read as a whole without")
    if shape.table.rows is None:
        sentences.append("the table was never analysed, so this is a guess: run ANALYZE first")
    return "; ".join(sentences) + "."


def _unread(query: Query, schema: Schema) -> list[Rejection]:
    found = [Rejection(what=name, reason=reason) for name, reason in schema.missing]
    for block in query.blocks:
        for source in block.sources:
            table = schema.table(source.table, source.schema)
            if table is None and source.table not in dict(schema.missing):
                found.append(Rejection(what=source.table, reason="nothing is known of such a table"))
            elif table is not None and table.kind in ("view", "foreign"):
                what = ("it is a view: indexes belong to the tables that it reads; advise on the statement behind it"
                        if table.kind == "view" else "it is a foreign table: an index belongs on its own server")
                found.append(Rejection(what=table.name, reason=what))
    return list(dict.fromkeys(found))


def _not_served(query: Query, schema: Schema, reckoning: Reckoning, chosen: list[Weighed],
                considered: list[Weighed]) -> list[Rejection]:
    """Of each table that nothing is proposed for: why."""
    served = {each.shape.table.name for each in chosen}
    found: dict[str, Rejection] = {}
    for number, block in enumerate(query.blocks):
        for source in block.sources:
            table = schema.table(source.table, source.schema)
            if table is None or table.name in served or table.kind not in ("table", "partitioned", "materialized"):
                continue
            best = next((each for each in considered if each.source == source and each.block == block), None)
            candidate = _candidate(best, query, reckoning.cost()) if best else None
            what = f"{table.name} {columns_sql(candidate, schema.dialect)}" if candidate else table.name
            reason = why_not(reckoning, number, block, source, table, best)
            found.setdefault(what, Rejection(what=what, reason=reason, candidate=candidate))
    return list(found.values())


def _left_out(query: Query, schema: Schema, before: float, chosen: list[Weighed]) -> list[Rejection]:
    """Conditions that no index serves, said also where one is proposed for others; and what is too many."""
    found = [Rejection(what=each.text, reason=each.reason) for block in query.blocks for each in block.conditions
             if each.kind == "other" and each.reason]
    for each in chosen[MOST:]:
        candidate = _candidate(each, query, before)
        found.append(Rejection(what=f"{candidate.table} {columns_sql(candidate, schema.dialect)}", candidate=candidate,
                               reason=f"{MOST} are tried at most, and these promise more"))
    return list(dict.fromkeys(found))


def _write_heavy(accepted: list[Candidate], chosen: list[Weighed], schema: Schema,
                 before: float) -> tuple[list[Candidate], list[Rejection]]:
    """Take out what helps little where far more is written than read."""
    kept, heavy = [], []
    for candidate, each in zip(accepted, chosen, strict=False):
        table: Table = each.shape.table
        if table.writes and table.reads is not None and table.writes > _WRITES_PER_READ * max(1, table.reads) and (
                before < each.cost * _WRITES_PER_READ) and not candidate.replaces:
            heavy.append(Rejection(
                what=f"{candidate.table} {columns_sql(candidate, schema.dialect)}", candidate=candidate,
                reason=f"{table.writes:,} rows were written while {table.reads:,} were read: the index would cost every"
                       f" write for a statement that gains {before / max(each.cost, 1e-9):.1f} times"))
        else:
            kept.append(candidate)
    return kept, heavy


