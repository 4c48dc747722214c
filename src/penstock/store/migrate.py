"""Numbered migrations under a lock, and the tables of layers. The schema is the sum of its migrations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from penstock.domain.errors import CallerHoldsWriteLock, SchemaMissing, SchemaTooNew
from penstock.store.port import Store, Transaction
from penstock.store.statements import Dialect, statement

LAYER_VERSION = 3
"""Of the statements that make a layer's tables: one that the first made is made anew, with its rows."""
_LAYERS_HAVE_VERSIONS = 5
_FILE = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the engine's schema, in one dialect."""

    version: int
    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class LayerTable:
    """A table of one layer: its state, or (`claims`) which subjects have its rows in their source."""

    state: str
    sync: str
    layer: str
    claims: bool = False

    @property
    def table(self) -> str:
        """The table's name, without its schema."""
        return f"{self.state}_claims" if self.claims else self.state

    @property
    def statement(self) -> str:
        """The name of the statement that makes it."""
        return "create_claims" if self.claims else "create_layer"


def migrations(dialect: Dialect) -> list[Migration]:
    """Every migration that this version of Penstock has, in order."""
    found = []
    for entry in files("penstock.store").joinpath("migrations", dialect).iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def pending(store: Store) -> list[Migration]:
    """What has not been applied yet. Raises `SchemaTooNew` for a store that a newer Penstock has migrated."""
    return store.read(lambda tx: _pending(tx, store.dialect))


def missing(store: Store, layers: list[LayerTable]) -> list[LayerTable]:
    """The layers that have no table yet."""
    return store.read(lambda tx: _missing(tx, layers))


def migrate(store: Store, layers: list[LayerTable]) -> list[str]:
    """Apply what is pending and make the layers' tables, in one transaction; return the names of what was made.

    A store that lacks nothing is only read: its lock may be the caller's own, who is about to enqueue through it.
    """
    if not pending(store) and not missing(store, layers):
        return []

    def work(tx: Transaction) -> list[str]:
        tx.rows("lock_migrations")
        done = []
        waiting = _pending(tx, store.dialect)
        if waiting:
            tx.execute("create_schema")
            tx.execute("create_migrations")
        for migration in waiting:
            tx.script(migration.sql)
            tx.execute("record_migration", {"version": migration.version, "name": migration.name})
            done.append(f"{migration.version:03} {migration.name}")
        for layer in _missing(tx, layers):
            for part in _parts(layer, store.dialect, _registered(tx)):
                tx.script(part)
            tx.execute("layer_register", {"layer_table": layer.table, "sync": layer.sync, "layer": layer.layer,
                                          "version": LAYER_VERSION})
            done.append(f"layer {layer.table}")
        return done

    try:
        return store.write(work)
    except CallerHoldsWriteLock as error:
        raise CallerHoldsWriteLock(f"the store's tables have to be made before it is used inside a transaction: call"
                                   f" app.migrate() first ({error})") from None


def script(store: Store, layers: list[LayerTable]) -> str:
    """What `migrate` would run, as SQL for a person to read or run."""
    parts = []
    waiting = pending(store)
    if waiting:
        parts += [statement("create_schema", store.dialect).sql, statement("create_migrations", store.dialect).sql]
    for migration in waiting:
        parts.append(f"-- {migration.version:03} {migration.name}\n{migration.sql.strip().rstrip(';')}")
        parts.append(_literal(store.dialect, "record_migration", version=migration.version, name=migration.name))
    registered = store.read(_registered)
    for layer in missing(store, layers):
        parts += _parts(layer, store.dialect, registered)
        parts.append(_literal(store.dialect, "layer_register", layer_table=layer.table, sync=layer.sync,
                              layer=layer.layer, version=LAYER_VERSION))
    return "".join(f"{part};\n\n" for part in parts if not part.startswith("select 1"))


def check(store: Store, layers: list[LayerTable]) -> None:
    """Raise `SchemaMissing`, naming the command, unless the store has every table that this app needs."""
    if waiting := pending(store):
        names = ", ".join(f"{migration.version:03} {migration.name}" for migration in waiting)
        raise SchemaMissing(f"the store lacks migrations {names}: run `penstock migrate` (or `penstock migrate --sql`)")
    if tables := missing(store, layers):
        names = ", ".join(f"{layer.sync}.{layer.layer}" for layer in tables)
        raise SchemaMissing(f"the store lacks the tables of layers {names}: run `penstock migrate`")


def _pending(tx: Transaction, dialect: Dialect) -> list[Migration]:
    known = migrations(dialect)
    exists = tx.row("migrations_exist")
    applied = {row[0] for row in tx.rows("applied_migrations")} if exists and exists[0] else set()
    newest = max(migration.version for migration in known)
    if applied and max(applied) > newest:
        raise SchemaTooNew(
            f"the store is at schema version {max(applied)}, this Penstock knows {newest}: upgrade Penstock on this"
            " machine, or name another store"
        )
    return [migration for migration in known if migration.version not in applied]


def _missing(tx: Transaction, layers: list[LayerTable]) -> list[LayerTable]:
    registered = _registered(tx) if layers else {}
    return [layer for layer in layers if registered.get(layer.table, 0) < LAYER_VERSION]


def _registered(tx: Transaction) -> dict[str, int]:
    """The version of every layer's table; of the time before there were versions, 1."""
    exists = tx.row("migrations_exist")
    if not exists or not exists[0]:
        return {}
    applied = {row[0] for row in tx.rows("applied_migrations")}
    if _LAYERS_HAVE_VERSIONS not in applied:
        return {row[0]: 1 for row in tx.rows("layers_registered")}
    return dict(tx.rows("layer_versions"))


def _parts(layer: LayerTable, dialect: Dialect, registered: Mapping[str, int]) -> list[str]:
    """The scripts that make a layer's table, or make it anew."""
    names = [layer.statement]
    if (version := registered.get(layer.table)) == 1:
        names = ["bring_claims_along"] if layer.claims else ["set_layer_aside", layer.statement, "bring_layer_back"]
    elif version is not None:
        names = ["bring_claims_along_again"] if layer.claims else []
    return [statement(name, dialect, layer=layer.state).sql for name in names]


def _literal(dialect: Dialect, which: str, /, **values: str | int) -> str:
    """A statement with its parameters written out; the values are names of ours, checked at declaration."""
    sql = statement(which, dialect).sql
    for parameter, value in values.items():
        text = str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
        sql = sql.replace(f"%({parameter})s" if dialect == "postgres" else f":{parameter}", text)
    return sql.replace("%%", "%")
