"""Numbered migrations under a lock, and the tables of layers. The schema is the sum of its migrations."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from penstock.domain.errors import CallerHoldsWriteLock, SchemaMissing, SchemaTooNew
from penstock.store.carry import stages
from penstock.store.layers import LayerTable, Stage, Step
from penstock.store.port import Store, Transaction
from penstock.store.statements import Dialect, statement

_FILE = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")
__all__ = ["LayerTable", "Migration", "check", "migrate", "migrations", "missing", "pending", "script"]


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the engine's schema, in one dialect."""

    version: int
    name: str
    sql: str


@cache  # each look whether a store is up to date asks for them
def migrations(dialect: Dialect) -> tuple[Migration, ...]:
    """Every migration that this version of Penstock has, in order."""
    found = []
    for entry in files("penstock.store").joinpath("migrations", dialect).iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text("utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def pending(store: Store) -> list[Migration]:
    """What has not been applied yet. Raises `SchemaTooNew` for a store that a newer Penstock has migrated."""
    return store.read(lambda tx: _pending(tx, store.dialect))


def missing(store: Store, layers: list[LayerTable]) -> list[Stage]:
    """What is to be done yet for the layers. Raises what `penstock.store.carry.stages` raises."""
    return store.read(lambda tx: stages(tx, layers))


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
        for stage in stages(tx, layers):
            for step in stage.steps:
                step.run(tx, store.dialect)
            done.append(stage.what)
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
        parts.append(Step("record_migration", {"version": migration.version, "name": migration.name})
                     .text(store.dialect))
    parts += [step.text(store.dialect) for stage in missing(store, layers) for step in stage.steps]
    return "".join(f"{part};\n\n" for part in parts if part not in ("select 1", "select true"))


def check(store: Store, layers: list[LayerTable]) -> None:
    """Raise `SchemaMissing`, naming the command, unless the store has every table that this app needs."""
    if waiting := pending(store):
        names = ", ".join(f"{migration.version:03} {migration.name}" for migration in waiting)
        raise SchemaMissing(f"the store lacks migrations {names}: run `penstock migrate` (or `penstock migrate --sql`)")
    if needed := [stage.what for stage in missing(store, layers) if stage.needed]:
        raise SchemaMissing(f"the store lacks {', '.join(needed)}: run `penstock migrate`")


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
