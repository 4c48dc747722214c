"""A connection of an application's own to the database that its store is in."""

import sqlite3
from typing import Any

import psycopg


def caller(url: str) -> Any:
    """A connection of the driver itself."""
    return sqlite3.connect(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else psycopg.connect(url)
