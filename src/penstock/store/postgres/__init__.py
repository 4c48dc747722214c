"""The store for many machines: PostgreSQL by psycopg 3, with or without a transaction pooler in between."""

from penstock.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
