"""Whether a store can be relied on: its schema, its clock, and what the database beneath it is set to.

It looks and changes nothing, but it does take part: an examination waits for the write lock like everybody else.
"""

import time
from itertools import pairwise

from penstock.domain.errors import SchemaError
from penstock.domain.finding import Finding, Level, fault, ok, warning
from penstock.store.expected import indexes
from penstock.store.migrate import LayerTable, check, migrations
from penstock.store.port import Store, Transaction

_SKEW_MS = 1000
_ANSWERS = 5
_PATIENCE_SECONDS = 60.0
_FAR_MS = 20.0
_FIRST = 5


def examine(store: Store, layers: list[LayerTable], *, slots: int = 0, patience_seconds: float = _PATIENCE_SECONDS
            ) -> list[Finding]:
    """All that can be found out about a store through its own connections, and for a worker with so many `slots`.

    A transaction of somebody else's counts as long after `patience_seconds`. Raises `StoreError` where the store
    cannot be read, or its write lock not be had.
    """
    settings = {name: str(value) for name, value in store.write(lambda tx: tx.rows("health_settings"))}
    schema = _schema(store, layers)
    own = [_indexes(store)] if schema.level is Level.OK else []  # what lacks a migration lacks indexes too
    return [*_of_its_kind(store, settings, patience_seconds, slots), schema, *own, _connection(store), _clock(store)]


def _of_its_kind(store: Store, settings: dict[str, str], patience_seconds: float, slots: int) -> list[Finding]:
    if store.dialect == "sqlite":
        from penstock.store.sqlite import SQLiteStore
        from penstock.store.sqlite.health import examine as examine_sqlite

        assert isinstance(store, SQLiteStore)
        return examine_sqlite(store, settings)
    from penstock.store.postgres import PostgresStore
    from penstock.store.postgres.health import examine as examine_postgres

    assert isinstance(store, PostgresStore)
    return examine_postgres(store, settings, patience_seconds, slots)


def _schema(store: Store, layers: list[LayerTable]) -> Finding:
    try:
        check(store, layers)
    except SchemaError as error:
        found, _, remedy = str(error).partition(": ")
        return fault("schema", found, remedy)
    return ok("schema", f"version {migrations(store.dialect)[-1].version}, and the tables of {len(layers)} layers")


def _indexes(store: Store) -> Finding:
    """Whether the engine's tables have every index that the schema gives them: somebody may have dropped one."""
    there = {name for (name,) in store.read(lambda tx: tx.rows("health_own_indexes"))}
    missing = [index for index in indexes(store.dialect) if index.name not in there]
    if not missing:
        return ok("own indexes", f"all {len(indexes(store.dialect))} of Penstock's indexes are there")
    found = f"missing: {', '.join(index.name for index in missing[:_FIRST])}" + (
        f" and {len(missing) - _FIRST} more" if len(missing) > _FIRST else "")
    remedy = f"make them again: {' '.join(index.sql for index in missing)}"
    if any(index.unique for index in missing):
        return fault("own indexes", found, f"{remedy} Without a unique one nothing may be enqueued or requested at all,"
                     " or twice")
    return warning("own indexes", found, f"{remedy} Without them costs grow with what waits and what is kept")


def _connection(store: Store) -> Finding:
    """How long the store takes to answer at all: each claim and each settle is one such answer."""
    def work(tx: Transaction) -> list[float]:
        times = [time.monotonic()]
        for _ in range(_ANSWERS + 1):  # the first takes longer: it prepares
            tx.row("now")
            times.append(time.monotonic())
        return sorted((after - before) * 1000 for before, after in pairwise(times[1:]))

    return connection(store.read(work)[_ANSWERS // 2])


def connection(answer_ms: float) -> Finding:
    """What the median of some answers means."""
    found = f"it answers within {answer_ms:,.1f} ms"
    if answer_ms < _FAR_MS:
        return ok("connection", found)
    return warning("connection", found, "run workers near the database: each claim and each settle waits for an answer,"
                                        " so few jobs a second are done from far away")


def _clock(store: Store) -> Finding:
    """How far the database's clock is from this machine's, as well as the time of an answer lets one say."""
    def work(tx: Transaction) -> tuple[float, float]:
        tx.row("now")  # the first answer takes longer: it prepares
        asked_at = time.time()
        row = tx.row("now")
        answered_at = time.time()
        assert row is not None
        return row[0] - (asked_at + answered_at) * 500, (answered_at - asked_at) * 500

    skew_ms, error_ms = store.read(work)
    found = f"the database's clock is {abs(skew_ms):,.0f} ms {'ahead of' if skew_ms > 0 else 'behind'} this machine's"
    if abs(skew_ms) - error_ms < _SKEW_MS:
        return ok("clock", found)
    return warning("clock", found, "set both by the same time server: the database's clock decides when jobs are due,"
                                   " so a time that this machine computes for run_after= is off by as much")
