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
    """All take :account and :subject. A row of `first` and `next` ends with its key in the form that :after takes.

    On PostgreSQL the column before that says whether the key is the same as that of the page's last row. Only the
    database can tell: 1.0 and 1.00, or 'a' and 'A', may be one key to it.
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
    # Qualified, or SQLite takes a quoted name that it does not know for a string.
    key = f"penstock_query.{quoted(query.key)}"
    compared = f"+{key}" if bare else key

    def filled(template: str, where: str = "") -> str:
        return wrapped(query, template, where, dialect)

    return Statements(
        columns=filled("select * from {rows} limit 0"),
        first=filled(PAGE[dialect]),
        next=filled(PAGE[dialect], f"where {compared} > :after"),
        same=filled("select * from {rows} {where}", f"where {compared} = :after"),
        without_key=filled("select * from {rows} {where}", f"where {key} is null"),
    )


def wrapped(query: Query, template: str, where: str = "", dialect: Dialect = "postgres") -> str:
    """A template with the query in it, and with its parameters as the dialect's driver takes them."""
    name = quoted(query.key)
    rows = f"(\n{query.text}\n) as penstock_query"
    return _placeholders(template.format(rows=rows, key=f"penstock_query.{name}", name=name, where=where), dialect)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# No common table expression on SQLite: it would be stored, and stored values are converted.
PAGE: dict[Dialect, str] = {
    "sqlite": "select penstock_query.*, {key} from {rows} {where} order by {key} nulls last limit :limit",
    # The key as text, since PostgreSQL reads back all that it writes, where Python's float, timedelta or datetime
    # would not be the key itself (float4, months).
    "postgres": """\
with penstock_page as (
  select * from {rows} {where} order by {key} nulls last limit :limit
)
select penstock_page.*,
       penstock_page.{name} is not distinct from (
         select penstock_page.{name} from penstock_page order by penstock_page.{name} desc nulls first limit 1
       ),
       cast(penstock_page.{name} as text)
from penstock_page order by penstock_page.{name} nulls last""",
}


def _placeholders(sql: str, dialect: Dialect) -> str:
    """`sql` with its parameters as the dialect's driver takes them."""
    if dialect == "sqlite":
        return sql
    return "".join(
        f"%({piece[1:]})s" if kind is Kind.PARAMETER else piece.replace("%", "%%") for kind, piece in tokenise(sql)
    )
