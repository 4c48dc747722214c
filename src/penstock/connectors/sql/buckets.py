"""Digests of ranges of a query's rows, computed by PostgreSQL: ranges in which nothing changed need not be read.

A bucket is the rows from one key up to the next bound. Its digest is the exclusive or of the MD5 of every row as text,
so that it does not depend on their order; with the number of rows it tells any change. A session that shows dates or
numbers in another way only has every bucket read again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from penstock.connectors.sql.paging import Bindings, Reader, Row, walk
from penstock.connectors.sql.query import Query
from penstock.connectors.sql.statements import PAGE, Statements, compose, quoted, wrapped
from penstock.domain.records import Bucket


@dataclass(frozen=True, slots=True)
class BucketStatements:
    """All take :account and :subject."""

    bounds: str  # :size; the first key of every bucket but the first
    digests: str  # :bounds; number (null where rows have no key), rows, digest as bits
    undivided: str  # the same where there are no bounds
    total: str  # rows and digest of all buckets together
    pages: tuple[Statements, Statements, Statements, Statements]
    """Of a bucket without bounds, with an upper one (:until), with a lower one (:from), and with both."""


@lru_cache(maxsize=256)
def compose_buckets(query: Query) -> BucketStatements:
    """The statements for `query` on PostgreSQL."""
    key = f"penstock_query.{quoted(query.key)}"

    def pages(where: str) -> Statements:
        both = " and ".join(part for part in (where, f"{key} > :after") if part)
        return Statements(
            columns=wrapped(query, "select * from {rows} limit 0"),
            first=wrapped(query, PAGE["postgres"], f"where {where}" if where else f"where {key} is not null"),
            next=wrapped(query, PAGE["postgres"], f"where {both}"),
            same=wrapped(query, "select * from {rows} {where}", f"where {key} = :after"),
            without_key=wrapped(query, "select * from {rows} limit 0"),
        )

    return BucketStatements(
        bounds=wrapped(query, _BOUNDS),
        digests=wrapped(query, _DIGESTS.replace("$number", "width_bucket({key}, :bounds)")),
        undivided=wrapped(query, _DIGESTS.replace("$number", "case when {key} is not null then 0 end")),
        total=wrapped(query, f"select {_DIGEST} from {{rows}}"),
        pages=(pages(""), pages(f"{key} < :until"), pages(f"{key} >= :from"),
               pages(f"{key} >= :from and {key} < :until")),
    )


def read_bounds(reader: Reader, query: Query, bindings: Bindings, size: int) -> list[str]:
    """Where to divide the query's rows so that about `size` lie between two bounds; keys as text."""
    return [row[0] for row in reader.rows(compose_buckets(query).bounds, {**bindings, "size": size})]


def read_buckets(reader: Reader, query: Query, bindings: Bindings, bounds: list[str]) -> list[Bucket]:
    """Every bucket as it is now, one after the other, and last that of the rows without a key."""
    statements = compose_buckets(query)
    array = "{" + ",".join('"' + bound.replace("\\", "\\\\").replace('"', '\\"') + '"' for bound in bounds) + "}"
    found = {number: Bucket(rows, int(bits, 2).to_bytes(16, "big"))
             for number, rows, bits in reader.rows(
                 statements.digests if bounds else statements.undivided, {**bindings, "bounds": array})}
    return [found.get(number, Bucket(0, b"")) for number in [*range(len(bounds) + 1), None]]


def read_total(reader: Reader, query: Query, bindings: Bindings) -> Bucket:
    """All rows as one bucket, its digest the exclusive or of the others'; the server's processes share the work."""
    ((rows, bits),) = reader.rows(compose_buckets(query).total, bindings)
    return Bucket(rows, int(bits, 2).to_bytes(16, "big") if rows else b"")


def read_rows(reader: Reader, query: Query, bindings: Bindings, bounds: list[str], first: int, last: int,
              size: int) -> Iterator[list[Row]]:
    """The rows from one bucket to another, at most `size` at a time; of the last of all those without a key, alone."""
    if first > len(bounds):
        yield from reader.stream(compose(query, "postgres").without_key, bindings, size)
        return
    lower = {"from": bounds[first - 1]} if first else {}
    upper = {"until": bounds[last]} if last < len(bounds) else {}
    statements = compose_buckets(query).pages[2 * bool(lower) + bool(upper)]
    yield from walk(reader, statements, {**bindings, **lower, **upper}, size)


_BOUNDS = """\
select cast(penstock_place.key as text) from (
  select {key} as key, row_number() over (order by {key}) as place from {rows} where {key} is not null
) as penstock_place
where place > 1 and place % :size = 1 % :size
group by penstock_place.key order by penstock_place.key"""
_DIGEST = "count(*), cast(bit_xor(cast('x' || md5(cast(penstock_query as text)) as bit(128))) as text)"
# The fence has the server expect few groups: if it saw that the number is made of keys, it would sort all the rows.
_DIGESTS = f"""\
select penstock_number, {_DIGEST.replace("cast(penstock_query as text)", "penstock_row")}
from (
  select $number as penstock_number, cast(penstock_query as text) as penstock_row from {{rows}} offset 0
) as penstock_numbered group by penstock_number"""
