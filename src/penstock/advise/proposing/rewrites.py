"""What would make a statement faster without any DDL: the statement, or what is done with it, in other words."""

from msgspec import structs

from penstock.advise.parsing.reading import NotParsed
from penstock.advise.proposing.rewriting.columns import plain_columns
from penstock.advise.proposing.rewriting.lookups import batch
from penstock.advise.proposing.rewriting.paging import batches, keyset, larger
from penstock.advise.proposing.rewriting.statement import Statement
from penstock.domain.advice import Query, Rewrite, Schema
from penstock.domain.traces import StatementSeen

_HIDDEN = {"texts": "Where '…' stands, the statement's own text belongs: it was not kept.",
           "all": "Where '…' and 0 stand, the statement's own values belong: they were not kept."}


def rewrites(query: Query, schema: Schema, seen: StatementSeen | None = None) -> list[Rewrite]:
    """Proposals for one statement, the best first. `seen` is what traces know of it: how often it came, and so on.

    Only a SELECT over one table with a primary key of one column is put into other words; for others there are none.
    """
    if query.fault is not None:
        return []
    try:
        statement = Statement.of(query, schema)
    except NotParsed:
        return []
    if statement is None:
        return []
    found: list[Rewrite] = []
    # Each begins with a statement of its own, since each may add placeholders.
    for kind in (keyset, plain_columns):
        found += kind(Statement(query, schema, statement.source, statement.table))
    for by_calls in (batches, larger, batch):
        found += by_calls(Statement(query, schema, statement.source, statement.table), seen)
    if query.hidden != "none":
        return [structs.replace(each, why=f"{each.why} {_HIDDEN[query.hidden]}") for each in found]
    return found
