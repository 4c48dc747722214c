"""Which columns of a destination's table mean what, as a person declares it; checked by itself, then on the table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.connectors.sql.table import Kind, Table
from penstock.connectors.sql.wording import did_you_mean
from penstock.store.statements import Dialect

_LONGEST_BYTES = 63  # PostgreSQL cuts longer names, silently


@dataclass(frozen=True, slots=True)
class Layout:
    """`key` is empty where the table numbers its rows itself; then its primary key is the remote id."""

    schema: str | None
    table: str
    key: tuple[str, ...] = ()
    match: str | None = None
    parent: str | None = None
    references: tuple[str, ...] = ()
    account: str | None = None
    subject: str | None = None
    version: str | None = None
    active: str | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def roles(self) -> Iterator[tuple[str, str]]:
        """Every column that is named, with what it was named for."""
        yield from (("key", name) for name in self.key)
        if self.match is not None:
            yield "match", self.match
        yield from self.filled()

    def filled(self) -> Iterator[tuple[str, str]]:
        """The columns that no payload fills."""
        singles = (("parent", self.parent), ("account", self.account), ("subject", self.subject),
                   ("version", self.version), ("active", self.active))
        yield from ((role, name) for role, name in singles if name is not None)
        yield from (("references", name) for name in self.references)

    def owners(self) -> tuple[str, ...]:
        """The columns that say whose a row is: this destination touches no row of others."""
        return tuple(name for name in (self.account, self.subject) if name is not None)

    def identity(self, table: Table) -> tuple[str, ...]:
        """The columns that a remote id is made of."""
        return self.key or table.primary


def lay_out(dialect: Dialect | None, table: Any, columns: dict[str, Any], faults: list[str]) -> Layout:
    """What was given to SQLDestination, with what is wrong about it added to `faults`."""
    schema, name = _table(dialect, table, faults)
    unkeyed = columns["key"] is None
    key = _names("key", columns.pop("key"), faults)
    references = _names("references", columns.pop("references"), faults)
    singles = {role: name for role, name in columns.items() if _named(dialect, role, name, faults)}
    layout = Layout(schema, name, key=key, references=references, **singles)
    for role, column in (*(("key", name) for name in key), *(("references", name) for name in references)):
        _named(dialect, role, column, faults)
    faults += _repeated(layout)
    if unkeyed and layout.match is None:
        faults.append(
            "SQLDestination expects key=, the column that holds a record's own key, or match=, the column by which a"
            " row that the database numbered is found again, but got neither."
        )
    return layout


def _table(dialect: Dialect | None, table: Any, faults: list[str]) -> tuple[str | None, str]:
    parts = table.split(".") if isinstance(table, str) else []
    if len(parts) not in (1, 2) or not all(_is_name(part) for part in parts):
        faults.append(f"SQLDestination expects table as 'table' or 'schema.table', but got {table!r}.")
        return None, ""
    schema, name = (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    if dialect == "sqlite" and schema not in (None, "main"):
        faults.append(f"SQLDestination expects table without a schema on SQLite, but got {table!r}.")
    if (dialect == "postgres" and schema == "penstock") or (dialect == "sqlite" and name.startswith("penstock_")):
        faults.append(f"SQLDestination expects a table of your own, but got {table!r}, which is Penstock's.")
    if dialect == "postgres":
        faults += [_too_long("table", part) for part in parts if len(part.encode()) > _LONGEST_BYTES]
    return schema, name


def _names(role: str, given: Any, faults: list[str]) -> tuple[str, ...]:
    if given is None:
        return ()
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Sequence) and given:
        return tuple(given)
    faults.append(f"SQLDestination expects {role} to name a column, or several in a tuple, but got {given!r}.")
    return ()


def _named(dialect: Dialect | None, role: str, name: Any, faults: list[str]) -> bool:
    """Whether there is a name; one that can be none is a fault."""
    if name is None:
        return False
    if not _is_name(name):
        faults.append(f"SQLDestination expects {role} to name a column, but got {name!r}.")
    elif dialect == "postgres" and len(name.encode()) > _LONGEST_BYTES:
        faults.append(_too_long(role, name))
    return True


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name) and name.isprintable()


def _too_long(role: str, name: str) -> str:
    return f"SQLDestination expects {role} in at most {_LONGEST_BYTES} bytes on PostgreSQL, but got {name!r}."


def _repeated(layout: Layout) -> Iterator[str]:
    roles: dict[Any, list[str]] = {}
    for role, name in layout.filled():
        roles.setdefault(name, []).append(role)
    for name, several in roles.items():
        if len(several) > 1:
            yield f"SQLDestination expects a column for each, but {' and '.join(several)} are both {name!r}."
        if several[0] in ("version", "active") and name in (*layout.key, layout.match):
            yield f"SQLDestination expects {several[0]} to be a column of its own, but {name!r} is key or match too."
    for name, count in Counter(layout.key).items():
        if count > 1:
            yield f"SQLDestination expects key to name each column once, but got {name!r} {count} times."


def misfits(layout: Layout, table: Table) -> list[str]:
    """What of a layout the table cannot give, every fault of it."""
    known = ", ".join(table.columns)
    faults = [f"it has no column {name!r} ({role}), only {known}.{did_you_mean(name, table.columns)}"
              for role, name in layout.roles() if name not in table.columns]
    faults += [f"its column {name!r} ({role}) is computed, so that nothing can be written to it."
               for role, name in layout.filled() if name in table.columns and table.columns[name].computed]
    if not faults:
        faults += _keyed(layout, table) if layout.key else _numbered(table)
    return faults


def _keyed(layout: Layout, table: Table) -> Iterator[str]:
    key = " and ".join(layout.key)
    if not table.is_unique(set(layout.key)):
        yield (f"its key ({key}) is not unique, so that one record could become two rows. Add a primary key or a unique"
               " constraint over exactly that, without a condition.")
    for name in layout.key:
        if table.columns[name].kind is Kind.UNTYPED:
            yield f"its key column {name!r} has no type, so that 1 and '1' would differ. Declare it text or integer."


def _numbered(table: Table) -> Iterator[str]:
    if len(table.primary) != 1:
        yield (f"it has {'a primary key of several columns' if table.primary else 'no primary key'}. Say with key="
               " which columns identify a row, or give it a primary key that the database numbers.")
    elif not table.columns[table.primary[0]].automatic:
        name = table.primary[0]
        yield (f"its primary key {name!r} is not given by the database. If records bring it, say key={name!r}; else"
               " make it an identity column, or give it a default.")
