"""The demo's source: a seeded HR database in SQLite with the tables that directory.py reads, and its 1% change.

The same seed gives the same people, every time and on every machine. Nobody is ever without a group.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

CUSTOMER = "acme"
_SCHEMA = """
create table person (employee_id text primary key, name text not null, email text not null unique);
create table door_group (group_id text primary key, title text not null, customer text not null, size integer not null);
create table member (
    group_id     text not null references door_group,
    employee_id  text not null references person,
    primary key (group_id, employee_id)
) without rowid;
create index member_by_employee on member (employee_id);
"""
_FIRST = ("Ada Ayşe Björn Chiara Daan Élodie Farid Grace Hana Ingrid Jürgen Kofi Lakshmi Mateo Ngozi Oluf Priya Quentin"
          " Rosa Søren Tomás Uma Věra Wei Xenia Yuki Zoë").split()
_LAST = ("Almeida Bauer Çelik Dubois Eriksen Fischer García Horváth Ivanova Jansen Kowalska Lindqvist Moreau Nakamura"
         " Okafor Petrov Quispe Rossi Schäfer Tanaka Ueda Vogel Wagner Ximénez Yılmaz Zhang").split()
_AREAS = "Archive Canteen Foundry Garage Laboratory Library Loading Office Reception Server Studio Warehouse".split()


@dataclass(frozen=True, slots=True)
class Changed:
    """How many people were given a new name, a new e-mail address or another group."""

    renamed: int = 0
    readdressed: int = 0
    moved: int = 0


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction on the database, committed at the end unless something failed."""
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def generate(path: Path, *, people: int, groups: int, seed: int, edition: str = "") -> None:
    """Make the database anew.

    `edition` ends the ids of customer and groups, so that a store can tell two demos apart.
    """
    path.unlink(missing_ok=True)
    random = Random(seed)
    group_ids = [f"doors-{number}{edition}" for number in range(1, groups + 1)]
    employees = [f"E{1000 + number}" for number in range(1, people + 1)]
    with opened(path) as hr:
        hr.executescript(_SCHEMA)
        hr.executemany("insert into person values (?, ?, ?)", (
            (each, f"{random.choice(_FIRST)} {random.choice(_LAST)}", f"{each.lower()}@{CUSTOMER}.example")
            for each in employees))
        hr.executemany("insert into door_group values (?, ?, ?, 0)", (
            (group_id, f"{_AREAS[place % len(_AREAS)]} {place // len(_AREAS) + 1}", f"{CUSTOMER}{edition}")
            for place, group_id in enumerate(group_ids)))
        hr.executemany("insert or ignore into member values (?, ?)", (
            (group_id, each) for each in employees
            for group_id in random.choices(group_ids, k=2 if random.random() < 0.2 else 1)))
        _count_members(hr)


def change(path: Path, *, seed: int) -> Changed:
    """Change one person in a hundred, in turns their name, their e-mail address and one of their groups."""
    random = Random(f"{seed} change")
    renamed = readdressed = moved = 0
    with opened(path) as hr:
        employees = [row[0] for row in hr.execute("select employee_id from person order by employee_id")]
        groups = [row[0] for row in hr.execute("select group_id from door_group order by group_id")]
        chosen = random.sample(employees, max(1, round(len(employees) / 100)))
        for place, employee in enumerate(chosen):
            if place % 3 == 1:
                hr.execute("update person set email = 'new.' || email where employee_id = ?", (employee,))
                readdressed += 1
            elif place % 3 == 2 and _moved(hr, random, employee, groups):
                moved += 1
            else:
                hr.execute("update person set name = name || '-' || ? where employee_id = ?",
                           (random.choice(_LAST), employee))
                renamed += 1
        _count_members(hr)
    return Changed(renamed, readdressed, moved)


def subjects(path: Path) -> list[tuple[str, str]]:
    """Every group with its customer: the subjects and accounts of the sync."""
    with opened(path) as hr:
        return hr.execute("select group_id, customer from door_group order by rowid").fetchall()


def _moved(hr: sqlite3.Connection, random: Random, employee: str, groups: list[str]) -> bool:
    """Take somebody from one group to another; False where there is no other."""
    held = [row[0] for row in hr.execute("select group_id from member where employee_id = ? order by group_id",
                                         (employee,))]
    others = sorted(set(groups) - set(held))
    if not others:
        return False
    hr.execute("update member set group_id = ? where employee_id = ? and group_id = ?",
               (random.choice(others), employee, random.choice(held)))
    return True


def _count_members(hr: sqlite3.Connection) -> None:
    hr.execute("update door_group set size = (select count(*) from member where member.group_id = door_group.group_id)")
