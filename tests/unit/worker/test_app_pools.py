"""Pools of the application's own are found as their libraries make them, each in a process of its own."""

import importlib.util
import json
from pathlib import Path

import pytest

from penstock.domain.finding import Level
from penstock.worker.app_pools import AppPool, compared
from tests.processes import python

ASK = """
import json
from penstock.worker.app_pools import app_pools
print("found", json.dumps(sorted([pool.name, pool.most] for pool in app_pools())))
"""


def pools(code: str, folder: Path, *needed: str) -> list[tuple[str, int | None]]:
    """The pools that are found in a process that has run some code."""
    for name in needed:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed; it is part of the test extra")
    with python(code + ASK, folder=folder) as child:
        line = child.line("found ")
        return [(name, most) for name, most in json.loads(line.partition(" ")[2])]


def test_nothing_is_found_and_nothing_imported_where_there_is_nothing(tmp_path: Path):
    with python(ASK + "\nimport sys\nprint('imported', 'sqlalchemy' in sys.modules)", folder=tmp_path) as child:
        assert child.rest() == ["found []", "imported False"]


def test_sqlalchemy(tmp_path: Path):
    code = """
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

class Repositories:
    main = create_engine("sqlite:///main.db", poolclass=QueuePool, pool_size=5, max_overflow=10)

endless = create_engine("sqlite:///endless.db", poolclass=QueuePool, max_overflow=-1)
none = create_engine("sqlite:///none.db", poolclass=NullPool)
one = create_engine("sqlite:///one.db", poolclass=StaticPool)
dropped = create_engine("sqlite:///dropped.db")
del dropped
"""
    assert pools(code, tmp_path, "sqlalchemy") == [
        ("the SQLAlchemy pool of sqlite:///endless.db", None), ("the SQLAlchemy pool of sqlite:///main.db", 15),
        ("the SQLAlchemy pool of sqlite:///none.db", None), ("the SQLAlchemy pool of sqlite:///one.db", 1)]


def test_sqlalchemy_says_no_password_and_knows_async_engines(tmp_path: Path):
    code = """
from sqlalchemy.ext.asyncio import create_async_engine
engine = create_async_engine("postgresql+psycopg://ada:secret@localhost/shop", pool_size=3, max_overflow=0)
"""
    assert pools(code, tmp_path, "sqlalchemy", "greenlet") == [
        ("the SQLAlchemy pool of postgresql+psycopg://ada:***@localhost/shop", 3)]


def test_psycopg_and_not_the_pool_of_penstock_itself(tmp_path: Path):
    code = """
import sys
from penstock.store.postgres import PostgresStore
from psycopg_pool import AsyncConnectionPool, ConnectionPool
mine = ConnectionPool("dbname=shop", min_size=2, max_size=7, open=False, name="shop")
other = AsyncConnectionPool("dbname=shop", min_size=4, open=False, name="shop async")
ours = ConnectionPool("dbname=shop", open=False, name="penstock")
"""
    assert pools(code, tmp_path) == [("the psycopg pool 'shop async'", 4), ("the psycopg pool 'shop'", 7)]


def test_asyncpg(tmp_path: Path):
    code = """
import asyncio
import asyncpg

async def make():
    return asyncpg.create_pool("postgresql://localhost/shop", max_size=12)

pool = asyncio.run(make())
"""
    assert pools(code, tmp_path, "asyncpg") == [("an asyncpg pool", 12)]


def test_django(tmp_path: Path):
    code = """
from django.conf import settings
postgres = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}
settings.configure(DATABASES={
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"},
    "pooled": {**postgres, "OPTIONS": {"pool": {"min_size": 2, "max_size": 9}}},
    "as it comes": {**postgres, "OPTIONS": {"pool": True}},
})
import django.db
"""
    assert pools(code, tmp_path, "django") == [
        ("the Django database 'default'", None), ("the pool of Django database 'as it comes'", 4),
        ("the pool of Django database 'pooled'", 9)]


@pytest.mark.parametrize(("most", "level"), [(49, Level.WARNING), (50, Level.OK), (None, Level.OK)])
def test_more_slots_than_connections_is_a_warning(most: int | None, level: Level):
    found = compared(AppPool("the pool of the shop", most, "pool_size"), 50)
    assert found.level is level
    if level is Level.WARNING:
        assert found.found == ("50 slots, but the pool of the shop has at most 49 connections: if every task uses one,"
                               " 1 of them wait")
        assert found.remedy == "raise pool_size to 50, or give the worker fewer slots (--queue NAME=SLOTS)"
