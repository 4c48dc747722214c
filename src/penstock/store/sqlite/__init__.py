"""The embedded store: one SQLite file in WAL mode, one writer thread per process, readers beside it."""

from penstock.store.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
