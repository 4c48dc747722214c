"""A statement as blocks: one for each SELECT, UPDATE or DELETE that a planner would plan by itself.

EXISTS and IN of a plain subquery are joins by another name, as planners have it, so what they read joins the block.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import structs

from penstock.advise.parsing.conditions import conditions, conjuncts
from penstock.advise.parsing.keys import key_of
from penstock.advise.parsing.scope import Scope
from penstock.advise.parsing.terms import columns_of, count_of, group_of, order_of, stars_of
from penstock.advise.parsing.values import Value
from penstock.domain.advice import Block, Condition, Dialect, JoinKind, Ordering, Schema, Source

if TYPE_CHECKING:
    from sqlglot import exp


class Joined:
    """What the conditions of a block come to: themselves, and the tables that they join with their columns."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []
        self.sources: dict[str, Source] = {}
        self.columns: list[tuple[str, str]] = []


class Blocks:
    """The blocks of one statement."""

    def __init__(self, dialect: Dialect, schema: Schema | None, values: Value) -> None:
        self._dialect: Dialect = dialect
        self._schema = schema
        self._values = values
        self._found: list[Block | None] = []
        self._named: set[str] = set()

    def of(self, tree: "exp.Expr") -> list[Block]:
        """All of them, the outermost first."""
        from sqlglot import exp

        self._named = {each.alias_or_name.lower() for each in tree.find_all(exp.CTE)}
        self._any(tree, None, None, "statement")
        return [block for block in self._found if block is not None]

    def _any(self, node: "exp.Expr | None", around: Scope | None, parent: int | None, place: str) -> None:
        """Whatever stands where a SELECT may stand."""
        from sqlglot import exp

        if node is None:
            return
        if (with_ := node.args.get("with_")) is not None:
            for each in with_.expressions:
                self._any(each.this, None, None, f"with {each.alias_or_name}")
        if isinstance(node, exp.Subquery | exp.Paren):
            self._any(node.this, around, parent, place)
        elif isinstance(node, exp.SetOperation):
            self._any(node.this, around, parent, "union")
            self._any(node.expression, around, parent, "union")
        elif isinstance(node, exp.Insert):
            self._any(node.expression, around, parent, place)
        elif isinstance(node, exp.Select | exp.Update | exp.Delete):
            self._block(node, around, parent, place)

    def _block(self, node: "exp.Expr", around: Scope | None, parent: int | None, place: str) -> None:
        from sqlglot import exp

        number = len(self._found)
        self._found.append(None)
        scope = Scope(self._dialect, self._schema, around)
        terms: list[exp.Expr] = []
        self._read(node, scope, number, terms)
        joined = Joined()
        for term in terms:
            joined.conditions.extend(conditions(term, scope, self._values))
        where = node.args.get("where")
        for term in conjuncts(where.this if where is not None else None):
            if not self._joined(term, scope, joined):
                joined.conditions.extend(_asked(conditions(term, scope, self._values), scope))
        block = Block(
            place=place, sources=(*scope.sources.values(), *joined.sources.values()),
            conditions=tuple(dict.fromkeys(joined.conditions)),
            order=tuple(order_of(node, scope)), group=tuple(group_of(node, scope)),
            limit=count_of(node.args.get("limit"), self._values),
            offset=count_of(node.args.get("offset"), self._values),
            projected=tuple(dict.fromkeys((*columns_of(node, scope), *joined.columns))),
            star=tuple(stars_of(node, scope)),
            aggregates=any(each.find_ancestor(exp.Window, exp.Select) is node
                           for part in node.expressions for each in part.find_all(exp.AggFunc)),
            distinct=node.args.get("distinct") is not None, locks=bool(node.args.get("locks")),
            derived=bool(scope.derived), parent=parent)
        self._found[number] = self._extreme(node, scope, block)
        for query in _inner(node):
            if not query.unnest().meta.get("joined"):
                self._any(query, scope, number if _correlated(query, scope, self._dialect) else None, "subquery")

    def _extreme(self, node: "exp.Expr", scope: Scope, block: Block) -> Block:
        """The least or the greatest of a column is the first row in its order: planners know that."""
        from sqlglot import exp

        only = node.expressions[0].unalias() if len(node.expressions) == 1 else None
        key = key_of(only.this, scope) if isinstance(only, exp.Min | exp.Max) else None
        if key is None or key.column is None or block.group or block.order or len(block.sources) != 1:
            return block
        order = Ordering(alias=key.alias, column=key.column, descending=isinstance(only, exp.Max))
        return structs.replace(block, order=(order,), limit=1, aggregates=False)

    def _read(self, node: "exp.Expr", scope: Scope, number: int, terms: "list[exp.Expr]") -> None:
        """The sources of FROM and JOIN, and their ON and USING among the terms."""
        from sqlglot import exp

        target = node.this if isinstance(node, exp.Update | exp.Delete) else None
        from_ = node.args.get("from_")
        using = node.args.get("using") or []
        joins = list(node.args.get("joins") or [])
        for each in (target, from_.this if from_ is not None else None, *(using if isinstance(using, list) else [])):
            if each is not None:
                joins += each.args.get("joins") or []
                self._source(each, scope, "inner", number)
        for join in joins:
            side = "left" if (join.side or "").upper() in ("LEFT", "FULL") else "inner"
            before = list(scope.sources)
            self._source(join.this, scope, "left" if side == "left" else "inner", number)
            if join.args.get("on") is not None:
                terms.extend(conjuncts(join.args["on"]))
            new = [alias for alias in scope.sources if alias not in before]
            for name in join.args.get("using") or []:
                terms += [exp.EQ(this=exp.column(name.copy(), table=before[0]), expression=exp.column(
                    name.copy(), table=new[0]))] if before and new else []

    def _source(self, node: "exp.Expr", scope: Scope, join: JoinKind, number: int) -> None:
        from sqlglot import exp

        alias = scope.name(node.args["alias"].this) if node.args.get("alias") else scope.name(node.this)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier) and (
                node.args.get("db") is not None or node.name.lower() not in self._named):
            schema = node.args.get("db")
            scope.sources[alias] = Source(alias=alias, table=scope.name(node.this), join=join,
                                          schema=scope.name(schema) if schema is not None else None)
            return
        scope.derived.add(alias)
        if isinstance(node, exp.Lateral):
            self._any(node.this, scope, number, "lateral")
        elif isinstance(node, exp.Subquery):
            self._any(node.this, scope.parent, None, "subquery")

    def _joined(self, term: "exp.Expr", scope: Scope, joined: "Joined") -> bool:
        """Take EXISTS or IN of a plain SELECT for a join; False where the term is something else."""
        from sqlglot import exp

        anti = isinstance(term, exp.Not)
        inner = term.this.unnest() if anti else term
        if isinstance(inner, exp.Exists):
            select, left = inner.this.unnest(), None
        elif isinstance(inner, exp.In) and inner.args.get("query") is not None and not anti:
            select, left = inner.args["query"].unnest(), inner.this
        else:
            return False
        if not _plain(select) or (left is not None and len(select.expressions) != 1):
            return False
        own = Scope(self._dialect, self._schema, scope)
        terms: list[exp.Expr] = []
        self._read(select, own, len(self._found), terms)
        if own.derived or not own.sources:
            return False
        taken = {**scope.sources, **joined.sources}
        names = {alias: alias if alias not in taken else f"{alias} of {len(taken)}" for alias in own.sources}
        new = {names[alias]: structs.replace(source, alias=names[alias], join="anti" if anti else "semi")
               for alias, source in own.sources.items()}
        both = Scope(self._dialect, self._schema, scope.parent)
        both.sources = {**scope.sources, **new}
        both.derived = scope.derived
        where = select.args.get("where")
        terms.extend(conjuncts(where.this if where is not None else None))
        named = [_named(each, own, names) for each in terms]
        if left is not None:
            named.append(exp.EQ(this=_named(left, scope, {}), expression=_named(select.expressions[0], own, names)))
        for each in named:
            joined.conditions.extend(conditions(each, both, self._values))
        joined.columns.extend((names[alias], column) for alias, column in columns_of(select, own))
        joined.sources.update(new)
        select.meta["joined"] = True
        return True


def _asked(found: list[Condition], scope: Scope) -> list[Condition]:
    """Conditions of WHERE; one on a table that may be absent says whether it has to be there, or must not be."""
    kept = []
    for each in found:
        source = scope.sources.get(each.alias)
        if source is not None and source.join == "left":
            absent = each.kind == "null"
            scope.sources[each.alias] = structs.replace(source, join="anti" if absent else "inner")
            if absent:
                continue
        kept.append(each)
    return kept


def _inner(node: "exp.Expr") -> "Iterator[exp.Expr]":
    """The subqueries right within a SELECT, except those of WITH and FROM."""
    from sqlglot import exp

    for name, part in node.args.items():
        if name in ("with_", "from_", "joins", "laterals", "using") and name != "joins":
            continue
        for each in part if isinstance(part, list) else [part]:
            if not isinstance(each, exp.Expr):
                continue
            start = each.args.get("on") if name == "joins" else each
            if start is not None and not (name == "this" and isinstance(start, exp.Table)):
                yield from (found for found in start.walk(prune=lambda found: isinstance(found, exp.Query))
                            if isinstance(found, exp.Query))


def _plain(select: "exp.Expr") -> bool:
    """Whether a subquery is nothing but tables and conditions."""
    from sqlglot import exp

    return isinstance(select, exp.Select) and not any(
        select.args.get(name) for name in ("with_", "group", "having", "limit", "offset", "distinct", "laterals")
    ) and not any(each.find(exp.AggFunc, exp.Window) for each in select.expressions)


def _correlated(query: "exp.Expr", scope: Scope, dialect: Dialect) -> bool:
    """Whether a subquery names columns of the sources around it; one that is qualified is enough, or plainly theirs."""
    from sqlglot import exp

    own = {scope.name(table.args["alias"].this) if table.args.get("alias") else scope.name(table.this)
           for table in query.find_all(exp.Table)}
    return any(column.table and scope.name(column.args["table"]) in scope.sources
               and scope.name(column.args["table"]) not in own for column in query.find_all(exp.Column))


def _named(node: "exp.Expr", own: Scope, names: dict[str, str]) -> "exp.Expr":
    """A term of a subquery with its columns' tables as the block around it calls them."""
    from sqlglot import exp

    copy = node.copy()
    for column in [copy] if isinstance(copy, exp.Column) else list(copy.find_all(exp.Column)):
        owner = own.owner(column)
        if owner:
            column.set("table", exp.to_identifier(names.get(owner.alias, owner.alias) if not owner.outer
                                                  else owner.alias, quoted=True))
    return copy
