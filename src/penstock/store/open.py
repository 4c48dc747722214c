"""Chooses the adapter by the URL's scheme. Only the app calls this."""

from difflib import get_close_matches
from urllib.parse import urlsplit

from penstock.domain.errors import ConfigurationError
from penstock.store.port import Store

SCHEMES = ("sqlite", "postgresql", "postgres")


def check_url(url: str) -> str | None:
    """What is wrong with a store's URL, or None."""
    scheme = urlsplit(url).scheme
    if scheme in SCHEMES:
        return None
    near = get_close_matches(scheme.split("+")[0], SCHEMES, 1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    return f"expected a store URL sqlite:///file.db or postgresql://…, got scheme {scheme!r}{hint}"


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
