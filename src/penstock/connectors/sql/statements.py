"""A query wrapped into the statements that read it in keyset pages, never by OFFSET.

Every statement takes the query as a derived table, so that it may be any query at all. A database pushes the
bounds of a page into a plain query, so that its index on the key serves both the bound and the order; a query that
groups, or limits itself, is evaluated anew for every page.
"""

from dataclasses import dataclass
from functools import lru_cache

from penstock.connectors.sql.query import Query
from penstock.store.statements import Dialect
from penstock.store.tokens import Kind, tokenise


@dataclass(frozen=True, slots=True)
class Statements:
    """All take :account and :subject. The rows of `first` and `next` end with two columns of their own.

    The last but one is the key in the form that :after takes; the last is true where the key is the same as
    that of the page's last row. Only the database can say what is the same: 'a' and 'A' may be one key to it.
    """

    columns: str  # no rows, only their description
    first: str  # :limit; rows without a key come last
    next: str  # :limit, :after
    same: str  # :after; every row of one key
    without_key: str


@lru_cache(maxsize=1024)
def compose(query: Query, dialect: Dialect, *, bare: bool = False) -> Statements:
    """The statements for `query`.

    `bare` hides the key column from SQLite's type conversion, and with that from its indices: needed where several
    queries are put together, as SQLite would there compare a key with a converted copy of itself.
    """
    key = '"' + query.key.replace('"', '""') + '"'
    rows = f"select * from (\n{query.text}\n) as penstock_query"
    # Qualified, or SQLite takes a quoted name that it does not know for a string.
    column = f"penstock_query.{key}"
    compared = f"+{column}" if bare else column

    def page(where: str) -> str:
        return _PAGE[dialect].format(rows=rows, where=where, column=column, key=f"penstock_page.{key}")

    return Statements(
        columns=_placeholders(f"{rows} limit 0", dialect),
        first=_placeholders(page(""), dialect),
        next=_placeholders(page(f"where {compared} > :after"), dialect),
        same=_placeholders(f"{rows} where {compared} = :after", dialect),
        without_key=_placeholders(f"{rows} where {column} is null", dialect),
    )


def _page(after: str, same: str) -> str:
    return (
        "with penstock_page as (\n"
        "{rows} {where} order by {column} nulls last limit :limit\n"
        f") select penstock_page.*, {after}, {{key}} {same} (\n"
        "  select {key} from penstock_page order by {key} desc nulls first limit 1\n"
        ") from penstock_page order by {key} nulls last"
    )


_PAGE: dict[Dialect, str] = {
    # As text, since PostgreSQL reads back all that it writes, where Python's float, timedelta or datetime would
    # not be the key itself (float4, months, infinity).
    "postgres": _page("cast({key} as text)", "is not distinct from"),
    "sqlite": _page("{key}", "is"),
}


def _placeholders(sql: str, dialect: Dialect) -> str:
    """`sql` with its parameters as the dialect's driver takes them."""
    if dialect == "sqlite":
        return sql
    return "".join(
        f"%({piece[1:]})s" if kind is Kind.PARAMETER else piece.replace("%", "%%") for kind, piece in tokenise(sql)
    )
