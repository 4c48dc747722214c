"""Django's connections between jobs, with a real Django on SQLite in a process of its own."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.processes import python

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}

SET_UP = """
import django
from django.conf import settings
settings.configure(DATABASES={"default": {**DATABASE, "CONN_MAX_AGE": KEPT_SECONDS}})
django.setup()
from django.db import connection, transaction
from penstock.worker.django import aclose_stale, close_stale

def open_one():
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return connection.connection
"""


def said(code: str, folder: Path, kept_seconds: object = 0, database: dict[str, Any] = SQLITE) -> list[str]:
    if importlib.util.find_spec("django") is None:
        pytest.skip("django is not installed; it is part of the test extra")
    code = SET_UP.replace("KEPT_SECONDS", repr(kept_seconds)).replace("DATABASE,", f"{database!r},") + code
    with python(code, folder=folder) as child:
        lines = child.rest()
        assert child.wait() == 0, lines
        return lines


def test_which_connections_are_closed(tmp_path: Path):
    """Those of the thread that are past their age, and in no transaction. One process: Django is slow to import."""
    assert said("""
import threading

open_one()
close_stale()
print("past its age:", connection.connection)

with transaction.atomic():
    mine = open_one()
    close_stale()
    print("in a transaction:", connection.connection is mine)

mine = open_one()
def other():
    open_one()
    close_stale()
    print("another thread's own:", connection.connection)
thread = threading.Thread(target=other)
thread.start()
thread.join()
print("of this thread:", connection.connection is mine)

connection.close()
connection.settings_dict["CONN_MAX_AGE"] = 600
kept = open_one()
close_stale()
print("to be kept:", connection.connection is kept)
""", tmp_path) == ["past its age: None", "in a transaction: True", "another thread's own: None", "of this thread: True",
                   "to be kept: True"]


def test_a_connection_that_broke_is_replaced(tmp_path: Path, postgres_url: str):
    parts = conninfo_to_dict(postgres_url)
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": parts["dbname"], "USER": parts.get("user", ""),
                "HOST": parts.get("host", ""), "PORT": parts.get("port", ""), "PASSWORD": parts.get("password", "")}
    assert said("""
try:
    with connection.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pg_backend_pid())")
except Exception as error:
    print(type(error).__name__)
close_stale()
print(connection.connection, open_one() is not None)
""", tmp_path, kept_seconds=None, database=database) == ["OperationalError", "None True"]


def test_connections_of_async_code_are_closed_where_they_live(tmp_path: Path):
    assert said("""
import asyncio
from asgiref.sync import sync_to_async

async def job():
    await aclose_stale()
    await sync_to_async(open_one)()
    before = await sync_to_async(lambda: connection.connection is not None)()
    await aclose_stale()
    print(before, await sync_to_async(lambda: connection.connection)())

asyncio.run(job())
""", tmp_path) == ["True None"]


@pytest.mark.parametrize("prelude", ["", "import django.db\n", "import django.db\nimport asgiref.sync\n"])
def test_without_settings_nothing_happens(tmp_path: Path, prelude: str):
    if prelude and importlib.util.find_spec("django") is None:
        pytest.skip("django is not installed; it is part of the test extra")
    code = f"""
import asyncio, sys
{prelude}
from penstock.worker.django import aclose_stale, close_stale
close_stale()
asyncio.run(aclose_stale())
print("nothing", "django" in sys.modules)
"""
    with python(code, folder=tmp_path) as child:
        assert child.line("nothing") == f"nothing {bool(prelude)}"
