"""What a PostgreSQL server is set to, and who on it holds back the others."""

from collections.abc import Mapping

import psycopg

from penstock.domain.finding import Finding, fault, ok, warning
from penstock.store.postgres.connection import Connection, OwnConnection, conninfo, safe
from penstock.store.postgres.store import PostgresStore

_FIRST = 5
_LOOKS = 5
_SHARED_BY = 5


def examine(store: PostgresStore, settings: Mapping[str, str], patience_seconds: float, slots: int) -> list[Finding]:
    """A store's server, as the store's own role sees it, for a worker of so many `slots`; `settings` are those of its
    connections."""
    version = settings["server_version"].split()[0]
    params = {"older_ms": round(patience_seconds * 1000)}
    holders, hidden = store.read(lambda tx: (tx.rows("health_holders", params), tx.row("health_hidden")))
    invalid, unvacuumed = store.read(lambda tx: (tx.rows("health_indexes"), tx.rows("health_unvacuumed")))
    taken, most = store.look("health_connections")[0]
    return [
        ok("store", f"PostgreSQL {version}, psycopg {psycopg.__version__}, {safe(store.url)}"),
        writable(settings),
        durability(settings),
        _pooler(store),
        connections(taken, most, store.most_connections),
        pool(slots, store.pool_size),
        transactions([(str(holder), ms) for holder, ms in holders], hidden[0] if hidden else 0),
        indexes([row[0] for row in invalid]),
        vacuum(settings, [row[0] for row in unvacuumed]),
    ]


def writable(settings: Mapping[str, str]) -> Finding:
    """Whether this is a server that takes writes."""
    if settings["in_recovery"] == "true":
        return fault("writes", "this server is a standby", "name the primary in the store's URL, or add"
                     " ?target_session_attrs=read-write to it")
    if settings["default_transaction_read_only"] == "on":
        return fault("writes", "default_transaction_read_only = on for this role and database",
                     "alter role … set default_transaction_read_only = off")
    return ok("writes", "this server takes writes")


def durability(settings: Mapping[str, str]) -> Finding:
    """Whether what was committed outlives a crash."""
    found = ", ".join(f"{name} = {settings[name]}" for name in ("fsync", "full_page_writes", "synchronous_commit"))
    if "off" in (settings["fsync"], settings["full_page_writes"]):
        return fault("durability", found, "turn fsync and full_page_writes on: without them a crash of the machine may"
                     " damage the whole database")
    if settings["synchronous_commit"] == "off":
        return warning("durability", found, "turn synchronous_commit on for this role or database: a crash loses the"
                       " jobs that were enqueued, and repeats those that were settled, in its last moments")
    return ok("durability", found)


def transactions(holders: list[tuple[str, int | None]], hidden: int) -> Finding:
    """Whether somebody keeps dead rows from being removed, or locks from being released."""
    if not holders:
        unseen = f"; {hidden} sessions of other roles cannot be seen" if hidden else ""
        return ok("transactions", f"none is open for long{unseen}",
                  "grant pg_monitor to the store's role to have them looked at" if hidden else "")
    parts = [f"{holder}{f' for {ms / 1000:,.0f} s' if ms is not None else ''}" for holder, ms in holders[:_FIRST]]
    more = f", and {len(holders) - _FIRST} more" if len(holders) > _FIRST else ""
    return warning("transactions", f"open for long: {', '.join(parts)}{more}",
                   "commit or end them (select pg_terminate_backend(pid); rollback prepared 'name';"
                   " select pg_drop_replication_slot('name')), and set idle_in_transaction_session_timeout: while they"
                   " last, no dead row can be removed and queues slow down")


def indexes(invalid: list[str]) -> Finding:
    """Whether an index was left half built."""
    if not invalid:
        return ok("indexes", "all are valid")
    return warning("indexes", f"not valid: {', '.join(invalid[:_FIRST])}", "unless one is being built right now, drop"
                   " it and build it again: it is kept up by every write and used by no query")


def vacuum(settings: Mapping[str, str], unvacuumed: list[str]) -> Finding:
    """Whether dead rows are removed by themselves."""
    for name in ("autovacuum", "track_counts"):
        if settings[name] == "off":
            return warning("vacuum", f"{name} = off", f"turn {name} on: queues leave dead rows behind all the time")
    if unvacuumed:
        return warning("vacuum", f"autovacuum is off for penstock.{', penstock.'.join(unvacuumed)}",
                       "alter table … reset (autovacuum_enabled)")
    return ok("vacuum", "autovacuum is on")


def connections(taken: int, most: int, ours: int) -> Finding:
    """Whether the server has room for another worker."""
    found = f"{taken} of the server's {most} are taken; a worker takes up to {ours}"
    if taken + ours <= most:
        return ok("connections", found)
    return warning("connections", found, "raise max_connections, lower the setting pool_size, or put a pooler in"
                   " between: a worker that gets none cannot claim, nor renew its lease")


def pool(slots: int, pool_size: int) -> Finding:
    """Whether a worker's slots would wait for Penstock's own connections, of which none holds one for long."""
    found = f"{slots} slots, pool_size = {pool_size}"
    if slots <= _SHARED_BY * pool_size:
        return ok("pool size", found)
    return warning("pool size", f"{found}: more than {_SHARED_BY} slots for each connection to the store, so what"
                   " bodies enqueue and look up waits in line",
                   f"raise pool_size to {-(-slots // _SHARED_BY)}, or give the worker fewer slots (--queue NAME=SLOTS)")


def _pooler(store: PostgresStore) -> Finding:
    return pooler(shares_sessions(store) if store.pooled else None)


def pooler(shared: bool | None) -> Finding:
    """What a pooler means that lends sessions by transaction, or does not; None: there is no pooler."""
    if shared is None:
        return ok("pooler", "none: workers are woken by NOTIFY")
    mode = "in transaction mode" if shared else "in session mode, as far as can be seen"
    return ok("pooler", f"a pooler is in between, {mode}: nothing is prepared, and workers poll instead of listening",
              "give workers a URL that goes to the server itself, if jobs should be picked up at once")


def shares_sessions(store: PostgresStore) -> bool:
    """Whether two of our connections that are both open are served by one session of the server, one after the other.

    Only a pooler by transaction (or by statement) does that: it lends a session that has just become free.
    """
    told = conninfo(store.url)
    with OwnConnection.connect(told, autocommit=True) as one, OwnConnection.connect(told, autocommit=True) as other:
        return any(_session(one) == _session(other) for _ in range(_LOOKS))


def _session(connection: Connection) -> int:
    row = connection.execute("select pg_backend_pid()", prepare=False).fetchone()
    return row[0] if row is not None else 0
