"""Connections of an application's own to the database that its store is in."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg


def caller(url: str) -> Any:
    """A connection of the driver itself: a transaction opens with the first statement."""
    return sqlite3.connect(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else psycopg.connect(url)


@contextmanager
def transaction(url: str) -> Iterator[Any]:
    """A connection whose work is committed at the end, or undone by an error."""
    with closing(caller(url)) as connection, connection:
        yield connection
