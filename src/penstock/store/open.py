"""Chooses the adapter by the URL's scheme. Only the app calls this."""

from difflib import get_close_matches
from urllib.parse import urlsplit

from penstock.domain.errors import ConfigurationError
from penstock.store.port import Store

SCHEMES = ("sqlite", "postgresql", "postgres")
_REPLICA_SECONDS = 3.0


def check_url(url: str) -> str | None:
    """What is wrong with a store's URL, or None."""
    scheme = urlsplit(url).scheme
    if scheme in SCHEMES:
        return None
    near = get_close_matches(scheme.split("+")[0], SCHEMES, 1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    return f"expected a store URL sqlite:///file.db or postgresql://…, got scheme {scheme!r}{hint}"


def check_replica(url: str, replica_url: str) -> str | None:
    """What is wrong with the URL of a store's replica, as far as the URLs tell, or None."""
    if url.startswith("sqlite:"):
        return ("replica_url: expected none, since the store is a SQLite file: it is read by all in the same place, and"
                " readers wait for nobody. A replica is a hot standby of a postgresql:// store")
    if urlsplit(replica_url).scheme not in ("postgresql", "postgres"):
        return (f"replica_url: expected postgresql://…, a hot standby of the store, got scheme"
                f" {urlsplit(replica_url).scheme!r}")
    return None


def open_replica(url: str, *, now: str | None = None, pool_size: int = 10) -> Store:
    """Open a PostgreSQL server to read from; who waits for it has another one. Raises as `open_store` does."""
    from penstock.store.postgres import PostgresStore  # it is there: the store itself is one

    return PostgresStore(url, now=now, pool_size=pool_size, timeout_seconds=_REPLICA_SECONDS)


def open_store(url: str, *, now: str | None = None, busy_timeout_seconds: float = 10.0, pool_size: int = 10) -> Store:
    """Open the store behind a URL; `now` is the SQL expression for the time, which only tests set.

    Raises `ConfigurationError` for a URL that cannot be one and `StoreUnavailable` for one that does not answer.
    """
    if fault := check_url(url):
        raise ConfigurationError(fault)
    if url.startswith("sqlite:"):
        from penstock.store.sqlite import SQLiteStore
        from penstock.store.sqlite.file import path_of

        return SQLiteStore(path_of(url), now=now, busy_timeout_seconds=busy_timeout_seconds)
    try:
        from penstock.store.postgres import PostgresStore
    except ImportError as error:
        raise ConfigurationError(
            f"a postgresql:// store needs psycopg ({error}): pip install 'penstock[postgres]'"
        ) from error
    return PostgresStore(url, now=now, pool_size=pool_size)
