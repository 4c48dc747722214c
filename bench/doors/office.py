"""The HR database of one customer: groups of four people each; reading a group takes its time."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from bench.doors.times import Times

PEOPLE_OF_A_GROUP = 4


class Person(NamedTuple):
    id: str
    name: str
    email: str


class Office:
    """Who is in which group."""

    def __init__(self, path: Path, times: Times, groups: int) -> None:
        self._path = path
        self._times = times
        self.groups = [f"doors-{number}" for number in range(groups)]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("create table person (id text primary key, name text, email text, door_group text)")
            connection.executemany("insert into person values (?, ?, ?, ?)", (
                (f"{group}-p{number}", f"Person {number} of {group}", f"p{number}@{group}.example", group)
                for group in self.groups for number in range(PEOPLE_OF_A_GROUP)))

    def people(self, group: str) -> list[Person]:
        """The people of a group, read page by page as it is in the case study."""
        time.sleep(self._times.read)
        return self.found("where door_group = ?", group)

    def found(self, where: str = "", *values: str) -> list[Person]:
        with closing(sqlite3.connect(self._path)) as connection:
            rows = connection.execute(f"select id, name, email from person {where} order by id", values)
            return [Person(*row) for row in rows]

    def change(self, seed: int) -> int:
        """Rename one person in a hundred; how many they are."""
        people = self.found()
        chosen = Random(seed).sample(people, max(1, round(len(people) / 100)))
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.executemany("update person set name = name || ' the second' where id = ?",
                                   [(person.id,) for person in chosen])
        return len(chosen)
