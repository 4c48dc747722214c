"""A database that somebody else owns, and reading from it as the engine does."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from penstock.connectors import SQLSource
from penstock.domain.records import Complete, Subject
from penstock.sync.declaring.ports import Run


@dataclass(frozen=True)
class Database:
    url: str

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @contextmanager
    def connect(self) -> Iterator[Any]:
        if self.is_sqlite:
            connection: Any = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
        else:
            connection = psycopg.connect(self.url, autocommit=True)
        with closing(connection):
            yield connection

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        with self.connect() as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        mark = "?" if self.is_sqlite else "%s"
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute("begin")
            cursor.executemany(f"insert into {table} values ({', '.join([mark] * len(rows[0]))})", rows)
            cursor.execute("commit")


def run_of(subject: str = "s-1", account: str = "a-1") -> Run:
    return Run(Subject(subject, account=account))


def read(source: SQLSource, size: int = 100, run: Run | None = None) -> tuple[list[list[dict[str, Any]]], Complete]:
    """Every page, and the proof at the end."""
    pages = []
    generator = source.pages(run or run_of(), size)
    while True:
        try:
            pages.append(next(generator))
        except StopIteration as stop:
            return pages, stop.value


def records(source: SQLSource, size: int = 100, run: Run | None = None) -> list[dict[str, Any]]:
    """Every record, after checking what holds for every read."""
    pages, complete = read(source, size, run)
    assert all(0 < len(page) <= size for page in pages)
    found = [record for page in pages for record in page]
    assert complete == Complete(len(found))
    return found
