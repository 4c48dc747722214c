"""The connection pools of the application around: tasks in many slots may wait for few connections.

Nothing is imported to find them: what the application does not use is not there.
"""

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from penstock.domain.finding import Finding, ok, warning

_DJANGO_POOL_SIZE = 4  # psycopg_pool's own default, which Django leaves in place


@dataclass(frozen=True, slots=True)
class AppPool:
    """A pool of connections that the application's code draws from; `most` is None where it has no bound."""

    name: str
    most: int | None
    setting: str


def examine(slots: int) -> list[Finding]:
    """Whether a worker with so many slots would have its tasks wait for connections."""
    found = [compared(pool, slots) for pool in app_pools()]
    return found or [ok("app pools", f"{slots} slots; no connection pool of the application's own was found")]


def compared(pool: AppPool, slots: int) -> Finding:
    if pool.most is None:
        return ok("app pools", f"{slots} slots, {pool.name} without a bound: a connection for each slot that asks")
    if slots <= pool.most:
        return ok("app pools", f"{slots} slots, {pool.name} of at most {pool.most} connections")
    return warning("app pools", f"{slots} slots, but {pool.name} has at most {pool.most} connections: if every task"
                   f" uses one, {slots - pool.most} of them wait",
                   f"raise {pool.setting} to {slots}, or give the worker fewer slots (--queue NAME=SLOTS)")


def app_pools() -> list[AppPool]:
    """Every pool of this process that can be recognised: of SQLAlchemy, psycopg, asyncpg and Django."""
    gc.collect()  # or pools that nobody has any more are met
    living = gc.get_objects()
    return [*_sqlalchemy(living), *_psycopg(living), *_asyncpg(living), *_django()]


def _sqlalchemy(living: list[Any]) -> Iterator[AppPool]:
    engine_module, pool_module = sys.modules.get("sqlalchemy.engine"), sys.modules.get("sqlalchemy.pool")
    if engine_module is None or pool_module is None:
        return
    for engine in (each for each in living if _is(each, engine_module.Engine)):
        name = f"the SQLAlchemy pool of {engine.url.render_as_string(hide_password=True)}"
        pool = engine.pool
        if isinstance(pool, pool_module.QueuePool):
            overflow = pool._max_overflow  # it has no public name, and is half of the bound
            most = None if overflow < 0 or not pool.size() else pool.size() + overflow
            yield AppPool(name, most, "pool_size + max_overflow")
        elif isinstance(pool, pool_module.StaticPool):
            yield AppPool(name, 1, "the pool, as poolclass=QueuePool with pool_size,")
        else:
            yield AppPool(name, None, "")


def _psycopg(living: list[Any]) -> Iterator[AppPool]:
    module = sys.modules.get("psycopg_pool")
    if module is None:
        return
    for pool in (each for each in living if _is(each, (module.ConnectionPool, module.AsyncConnectionPool))):
        if pool.name != "penstock":
            yield AppPool(f"the psycopg pool {pool.name!r}", pool.max_size or None, "max_size")


def _asyncpg(living: list[Any]) -> Iterator[AppPool]:
    module = sys.modules.get("asyncpg.pool")
    if module is None:
        return
    for pool in (each for each in living if _is(each, module.Pool)):
        yield AppPool("an asyncpg pool", pool.get_max_size(), "max_size")


def _django() -> Iterator[AppPool]:
    """Without a pool Django opens a connection for each thread, so nobody waits; a pool is made on first use only."""
    module = sys.modules.get("django.conf")
    if module is None or not module.settings.configured:
        return
    for alias, database in module.settings.DATABASES.items():
        pool = database.get("OPTIONS", {}).get("pool")
        name = f"the Django database {alias!r}"
        if not pool:
            yield AppPool(name, None, "")
            continue
        sizes = pool if isinstance(pool, dict) else {}
        most = sizes.get("max_size") or sizes.get("min_size", _DJANGO_POOL_SIZE)
        yield AppPool(f"the pool of {name[4:]}", most, 'OPTIONS["pool"]["max_size"]')


def _is(value: Any, kind: Any) -> bool:
    """`isinstance` by the real type: asking an object for its class may wake what is lazy, or fail."""
    return issubclass(type(value), kind)
