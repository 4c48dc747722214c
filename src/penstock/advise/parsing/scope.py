"""Whose column a name is: the sources of one SELECT, and those of the statements around it."""

from typing import TYPE_CHECKING, NamedTuple

from penstock.domain.advice import Dialect, Schema, Source, Table

if TYPE_CHECKING:
    from sqlglot import exp


class Owner(NamedTuple):
    """Where a column belongs. `outer`: to a statement around this one."""

    alias: str
    column: str
    outer: bool


class Scope:
    """The sources of one SELECT by the names that it calls them by; `derived` are subqueries and functions in FROM."""

    def __init__(self, dialect: Dialect, schema: Schema | None, parent: "Scope | None" = None) -> None:
        self.dialect = dialect
        self.schema = schema
        self.parent = parent
        self.sources: dict[str, Source] = {}
        self.derived: set[str] = set()

    def table(self, alias: str) -> Table | None:
        source = self.sources.get(alias)
        return self.schema.table(source.table, source.schema) if self.schema and source else None

    def owner(self, column: "exp.Column") -> Owner | None:
        """Whose it is; None where that cannot be told, or it is a subquery's."""
        found = self._own(column)
        if found:
            return Owner(*found, outer=False)
        scope = self.parent if not self._derived(column) else None
        while scope:
            if found := scope._own(column):
                return Owner(*found, outer=True)
            scope = scope.parent
        return None

    def name(self, identifier: "exp.Expr | str | None") -> str:
        """A name as the database has it: what is not quoted is folded."""
        if identifier is None or isinstance(identifier, str):
            return identifier or ""
        text = str(identifier.name)
        return text if identifier.args.get("quoted") or self.dialect == "sqlite" else text.lower()

    def _derived(self, column: "exp.Column") -> bool:
        return bool(column.table) and self.name(column.args["table"]) in self.derived

    def _own(self, column: "exp.Column") -> tuple[str, str] | None:
        name = self.name(column.this)
        if column.table:
            alias = self.name(column.args["table"])
            real = next((each for each in self.sources if _same(each, alias, self.dialect)), None)
            return (real, self._column(real, name) or name) if real else None
        known = [(alias, found) for alias in self.sources if (found := self._column(alias, name))]
        if known:
            return known[0] if len(known) == 1 else None
        unknown = [alias for alias in self.sources if self.table(alias) is None]
        return (unknown[0], name) if len(self.sources) == 1 and unknown and not self.derived else None

    def _column(self, alias: str, name: str) -> str | None:
        table = self.table(alias)
        columns = table.columns if table else ()
        return next((each.name for each in columns if _same(each.name, name, self.dialect)), None)


def _same(one: str, other: str, dialect: Dialect) -> bool:
    return one == other or (dialect == "sqlite" and one.lower() == other.lower())
