"""A statement as it was parsed: what it reads, compares, orders and joins; and what may be done with it."""

from typing import Literal

import msgspec

from penstock.domain.tables import Dialect

ConditionKind = Literal["equal", "in", "null", "not_null", "range", "prefix", "other"]
"""`equal` to one value; `in` a list or `= ANY`; IS NULL; IS NOT NULL; greater or less; LIKE with a known beginning;
what no index of its column narrows down (`<>`, LIKE '%…', a function that cannot be indexed)."""

JoinKind = Literal["inner", "left", "semi", "anti"]
"""How a table joins those before it. `left`: it may be absent; `semi`: EXISTS or IN; `anti`: NOT EXISTS."""


Hidden = Literal["none", "texts", "all"]
"""Which literals of a text were not kept."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A table within a block, under the name that the statement calls it by."""

    alias: str
    table: str
    schema: str | None = None
    join: JoinKind = "inner"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition that must hold (they are joined by AND).

    Of a column of the source `alias`, or of an `expression` over its columns (`base`: the one column of which it keeps
    apart what is apart, as lower(…) nearly does). `constant` is the value as text where it
    is known; `parameter` is the number of its placeholder, from 1, None where the statement itself has the value.
    `values` says how many a list has; `ago` is how many seconds before now a time is, where it is reckoned from now;
    `above` says of a range that it is open upwards (False: downwards; BETWEEN is two). `other` is the column `(alias,
    name)` of another source of the block that it is to be equal to; `correlated`: it is compared with a column of the
    statement around this block. `text` is the SQL of the condition without the table's name; `reason` says, of
    kind `other`, why no index serves it.
    """

    kind: ConditionKind
    alias: str
    column: str | None = None
    expression: str | None = None
    base: str | None = None
    constant: str | None = None
    parameter: int | None = None
    values: int | None = None
    ago: float | None = None
    above: bool | None = None
    other: tuple[str, str] | None = None
    correlated: bool = False
    text: str = ""
    reason: str | None = None


class Ordering(msgspec.Struct, frozen=True, kw_only=True):
    """One term of ORDER BY, GROUP BY or DISTINCT. `nulls_first` is None where the statement does not say."""

    alias: str | None = None
    column: str | None = None
    expression: str | None = None
    descending: bool = False
    nulls_first: bool | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One SELECT (or UPDATE, DELETE) of a statement with what it reads: a statement has one, and one per subquery.

    What EXISTS and IN read belongs to the block around it, as sources that join. `limit` and `offset` are a number,
    `?` for one that is not known, or None where there is none. `projected` are columns that it needs, by alias and
    name; `star` are the aliases of which it takes all of them. `derived` says that it also reads subqueries or
    functions. `parent` is the place, among the statement's blocks, of the one for each of whose rows it is done anew;
    None: it is done once.
    """

    place: str = "statement"
    sources: tuple[Source, ...] = ()
    conditions: tuple[Condition, ...] = ()
    order: tuple[Ordering, ...] = ()
    group: tuple[Ordering, ...] = ()
    limit: int | str | None = None
    offset: int | str | None = None
    projected: tuple[tuple[str, str], ...] = ()
    star: tuple[str, ...] = ()
    aggregates: bool = False
    distinct: bool = False
    locks: bool = False
    derived: bool = False
    parent: int | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What parsing a statement came to.

    `fault` says in words why it could not be parsed, and then there is nothing else. `writes` is the table that it
    changes, `assigned` are the columns that it sets. `tables` are all that it names, by schema (None: not said) and
    name. The columns of its blocks are only known for certain when it was parsed with the tables at hand. `hidden`
    says which of its literals were not kept: `'…'` stands for texts then, and 0 for numbers.
    """

    text: str
    dialect: Dialect
    kind: Literal["select", "insert", "update", "delete", "other"] = "select"
    blocks: tuple[Block, ...] = ()
    writes: str | None = None
    assigned: tuple[str, ...] = ()
    tables: tuple[tuple[str | None, str], ...] = ()
    hidden: Hidden = "none"
    fault: str | None = None


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done with a statement, and why not more.

    `explain`: its plan may be asked for, which does not run it. `analyse`: it may be run to see what it does.
    `functions` are those that it calls and that are not known to be harmless: the database has to say that each is
    not volatile before anything is run. `attributes` are names behind a dot: PostgreSQL takes one that is no column
    for a function of the row, so of each that is none the same has to be asked. `reasons` says in words what forbids
    it, one sentence each.
    """

    explain: bool
    analyse: bool
    functions: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
