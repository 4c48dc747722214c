"""The statements that write to a table, find rows and read it. Names are quoted, values always bound.

All values are bound by place, in the order in which a method's arguments name the columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.connectors.sql.layout import Layout
from penstock.store.statements import Dialect


@dataclass(frozen=True, slots=True)
class Commands:
    """The statements of one table. `identity` are the columns of the remote id, which a row gives back as texts."""

    dialect: Dialect
    layout: Layout
    identity: tuple[str, ...]
    counted: bool = False
    """Whether Penstock raises the version column by one with each write."""
    jsons: frozenset[str] = frozenset()

    def insert(self, columns: Sequence[str]) -> str:
        """A new row."""
        return f"insert into {self._target} {self._values(columns)} returning {self._texts(self.identity)}"

    def upsert(self, columns: Sequence[str]) -> str:
        """A new row, or other values in the row of that key; no row is given back where it belongs to somebody else."""
        others = [name for name in columns if name not in (*self.layout.key, self.layout.version)]
        changes = [f"{self._name(name)} = excluded.{self._name(name)}" for name in others] + self._bump("penstock_row.")
        kept = self._name(self.layout.key[0])
        owners = " and ".join(f"penstock_row.{self._name(name)} = excluded.{self._name(name)}"
                              for name in self.layout.owners())
        return (
            f"insert into {self._target} as penstock_row {self._values(columns)}"
            f" on conflict ({self._listed(self.layout.key)}) do update"
            f" set {', '.join(changes) or f'{kept} = penstock_row.{kept}'}"
            f"{f' where {owners}' if owners else ''} returning {self._texts(self.identity)}"
        )

    def update(self, columns: Sequence[str], where: Sequence[str]) -> str:
        """Other values in one row; without columns it only says whether there is one."""
        changes = [f"{self._name(name)} = {self._mark}" for name in columns] + self._bump()
        if not changes:
            return self.select(self.identity, where)
        return (f"update {self._target} set {', '.join(changes)} {self._where(where)}"
                f" returning {self._texts(self.identity)}")

    def delete(self, where: Sequence[str]) -> str:
        return f"delete from {self._target} {self._where(where)}"

    def select(self, columns: Sequence[str], where: Sequence[str], limit: int = 1, same: Sequence[str] = ()) -> str:
        """Columns as texts, of rows with these values; `same` are columns in which a null is a value as well."""
        equal = "is" if self.dialect == "sqlite" else "is not distinct from"
        also = "".join(f" and {self._comparable(name)} {equal} {self._mark}" for name in same)
        texts = self._texts(columns, self._own)
        return f"select {texts} from {self._target} {self._where(where)}{also} limit {limit}"

    def page(self, columns: Sequence[str], value: str, *, first: bool) -> str:
        """A page of rows: the remote id's texts, the text of `value`, the columns, and where the next page begins."""
        begins = [self._own(name) for name in self.identity]
        ordered = ", ".join(begins)
        if self.dialect == "postgres":  # as text, since PostgreSQL reads back all that it writes
            begins = [f"cast({name} as text)" for name in begins]
        conditions = [f"{self._own(name)} = {self._mark}" for name in self.layout.owners()]
        if not first:
            conditions.append(f"({ordered}) > ({', '.join([self._mark] * len(self.identity))})")
        chosen = ", ".join([self._texts((*self.identity, value), self._own), *map(self._own, columns), *begins])
        return (f"select {chosen} from {self._target}{' where ' if conditions else ''}{' and '.join(conditions)}"
                f" order by {ordered} limit {self._mark}")

    @property
    def _mark(self) -> str:
        return "?" if self.dialect == "sqlite" else "%s"

    @property
    def _target(self) -> str:
        names = (self.layout.schema, self.layout.table)
        return ".".join(self._name(name) for name in names if name is not None)

    def _name(self, name: str) -> str:
        quoted = '"' + name.replace('"', '""') + '"'
        return quoted if self.dialect == "sqlite" else quoted.replace("%", "%%")

    def _own(self, name: str) -> str:
        """Qualified, or SQLite takes a quoted name that the table has no more for a string."""
        return f"{self._name(self.layout.table)}.{self._name(name)}"

    def _comparable(self, name: str) -> str:
        """PostgreSQL cannot compare what it keeps as json."""
        compared = self._own(name)
        return f"cast({compared} as jsonb)" if self.dialect == "postgres" and name in self.jsons else compared

    def _listed(self, columns: Sequence[str]) -> str:
        return ", ".join(map(self._name, columns))

    def _texts(self, columns: Sequence[str], spelled: Callable[[str], str] | None = None) -> str:
        return ", ".join(f"cast({(spelled or self._name)(name)} as text)" for name in columns)

    def _values(self, columns: Sequence[str]) -> str:
        if not columns:
            return "default values"
        return f"({self._listed(columns)}) values ({', '.join([self._mark] * len(columns))})"

    def _where(self, columns: Sequence[str]) -> str:
        return "where " + " and ".join(f"{self._own(name)} = {self._mark}" for name in columns)

    def _bump(self, row: str = "") -> list[str]:
        if not self.counted or self.layout.version is None:
            return []
        name = self._name(self.layout.version)
        return [f"{name} = coalesce({row}{name}, 0) + 1"]
