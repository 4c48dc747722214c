"""Django, with a real one in a process of its own: models and raw statements are told once, with the user's line."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.processes import python

SET_UP = """
import sys, threading, django
from django.conf import settings
settings.configure(DATABASES={"default": DATABASE}, DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True)
django.setup()
from django.db import connection, models, transaction
from django.db.utils import ProgrammingError, OperationalError
from penstock import instrument, uninstrument
from penstock.observe.trace import Trace, active

class Item(models.Model):
    name = models.CharField(max_length=20)
    class Meta:
        app_label = "shop"

with connection.schema_editor() as editor:
    editor.create_model(Item)
for name in INSTRUMENTS:
    instrument(name)
trace = Trace("trace", "test")
active.set(trace)

def tell():
    trace.end()
    for each in trace.statements.values():
        seen = each.seen("all")
        if "shop_item" in seen.text or "nowhere" in seen.text:
            print(seen.text.split()[0].lower(), seen.driver, seen.calls, seen.rows if ROWS else "-", seen.failed,
                  sorted({site.file for site in seen.sites}), sorted({site.line for site in seen.sites}))
"""
WORK = """
def work():
    Item.objects.bulk_create([Item(name="x") for _ in range(3)])
    for key in (1, 2, 9):
        list(Item.objects.filter(id=key))
    with connection.cursor() as cursor:
        cursor.executemany("update shop_item set name = %s where id = %s", [("y", 1), ("z", 2)])
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select * from nowhere where id = %s", [1])
    except (ProgrammingError, OperationalError) as error:
        print(type(error).__name__)

work()
tell()
"""
SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}


def postgres(url: str) -> dict[str, Any]:
    parts = conninfo_to_dict(url)
    return {"ENGINE": "django.db.backends.postgresql", "NAME": parts["dbname"], "USER": parts.get("user", ""),
            "HOST": parts.get("host", ""), "PORT": parts.get("port", ""), "PASSWORD": parts.get("password", "")}


def said(folder: Path, database: dict[str, Any], instruments: tuple[str, ...], code: str = WORK, rows: bool = True,
         ) -> list[str]:
    if importlib.util.find_spec("django") is None:
        pytest.skip("django is not installed; it is part of the test extra")
    text = (SET_UP + code).replace("DATABASE}", f"{database!r}}}").replace("INSTRUMENTS", repr(instruments)).replace(
        "ROWS", repr(rows))
    (folder / "shop.py").write_text(text)
    with python("import shop", folder=folder) as child:
        lines = child.rest()
        assert child.wait() == 0, lines
        return [line.replace(str(folder), "") for line in lines]


def lines_of(code: str, *containing: str) -> list[int]:
    """The lines of `shop.py` that contain these texts."""
    lines = (SET_UP + code).split("\n")
    return [next(number for number, line in enumerate(lines, 1) if each in line) for each in containing]


@pytest.mark.parametrize("both", [False, True], ids=["alone", "with its driver"])
def test_on_postgresql(tmp_path: Path, postgres_url: str, both: bool) -> None:
    created, selected, updated, failed = lines_of(WORK, "bulk_create(", "list(Item", "cursor.executemany(",
                                                  "select * from nowhere")
    found = said(tmp_path, postgres(postgres_url), ("django", "psycopg") if both else ("django",))
    assert found == [
        "ProgrammingError",
        f"insert psycopg 1 3 0 ['/shop.py'] [{created}]",
        f"select psycopg 3 2 0 ['/shop.py'] [{selected}]",
        f"update psycopg 1 2 0 ['/shop.py'] [{updated}]",
        f"select psycopg 1 0 1 ['/shop.py'] [{failed}]",
    ]


@pytest.mark.parametrize("both", [False, True], ids=["alone", "with its driver"])
def test_on_sqlite(tmp_path: Path, both: bool) -> None:
    created, selected, updated, failed = lines_of(WORK, "bulk_create(", "list(Item", "cursor.executemany(",
                                                  "select * from nowhere")
    driver = "sqlite3" if both else "django"
    # The connection was opened before the driver was instrumented: so the test has a new one.
    code = "connection.close()\n" + WORK
    created, selected, updated, failed = (line + 1 for line in (created, selected, updated, failed))
    found = said(tmp_path, SQLITE, ("django", "sqlite3") if both else ("django",), code, rows=both)
    assert found == [
        "OperationalError",
        f"insert {driver} 1 {'3' if both else '-'} 0 ['/shop.py'] [{created}]",
        f"select {driver} 3 {'2' if both else '-'} 0 ['/shop.py'] [{selected}]",
        f"update {driver} 1 {'2' if both else '-'} 0 ['/shop.py'] [{updated}]",
        f"select {driver} 1 {'0' if both else '-'} 1 ['/shop.py'] [{failed}]",
    ]


def test_connections_that_are_opened_later_and_removal(tmp_path: Path) -> None:
    assert said(tmp_path, SQLITE, ("django",), """
from contextvars import copy_context
from django.db.backends.utils import CursorWrapper

def other():
    list(Item.objects.all())
    connection.close()
thread = threading.Thread(target=copy_context().run, args=(other,))
thread.start()
thread.join()
tell()
uninstrument("django")
list(Item.objects.all())
calls = sum(each.calls for each in trace.statements.values())
print(calls, hasattr(CursorWrapper._execute_with_wrappers, "__wrapped__"))
""", rows=False)[1:] == ["1 False"]
