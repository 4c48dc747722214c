"""The page on transactions: every example on it is run, and its job is committed together with its row."""

import ast
import asyncio
import contextlib
import inspect
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import orm

from tests.conformance.connections.callers import django_on, on_driver, path_of

PAGE = Path(__file__).parents[2] / "docs" / "transactions.md"
APP, *EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def store_of(example: str) -> list[str]:
    if "django" in example:
        return ["sqlite", "postgres"]
    return ["sqlite" if "shop.db" in example else "postgres"]


EACH = [pytest.param(store, example, id=f"{number}-{store}")
        for number, example in enumerate(EXAMPLES) for store in store_of(example)]


def run(code: str, url: str, names: dict[str, Any]) -> None:
    """Run an example on a database of the test's."""
    code = code.replace("postgresql://localhost/shop", url).replace("shop.db", path_of(url))
    for driver in ("psycopg", "asyncpg"):
        code = code.replace(f"postgresql+{driver}://localhost/shop", on_driver(url, driver))
    compiled = compile(code, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if compiled.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(compiled, names))
    else:
        exec(compiled, names)


class Base(orm.DeclarativeBase):
    pass


class Mapped(Base):
    __tablename__ = "offer"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)


def model() -> Any:
    """The same table as a model of Django."""
    from django.apps import apps
    from django.db import models

    if "offer" in apps.all_models["shop"]:
        return apps.all_models["shop"]["offer"]
    meta = type("Meta", (), {"app_label": "shop", "db_table": "offer", "managed": False})
    return type("Offer", (models.Model,), {"__module__": __name__, "Meta": meta,
                                          "id": models.IntegerField(primary_key=True)})


@contextlib.contextmanager
def looking(url: str) -> Iterator[Any]:
    connection: Any = (sqlite3.connect(path_of(url), isolation_level=None) if url.startswith("sqlite:")
                       else psycopg.connect(url, autocommit=True))
    with contextlib.closing(connection):
        yield connection


def test_there_are_examples():
    assert "app = Penstock(" in APP
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize(("store_url", "example"), EACH, indirect=["store_url"])
def test_an_example(store_url: str, example: str):
    with looking(store_url) as connection:
        connection.execute("create table offer (id integer primary key)")
    names: dict[str, Any] = {"__name__": __name__, "Offer": Mapped}
    run(APP, store_url, names)
    with contextlib.closing(names["app"]):
        if "django" in example:
            with django_on(store_url):
                run(example, store_url, {**names, "Offer": model()})
        else:
            run(example, store_url, names)
    jobs = "penstock_live_jobs" if store_url.startswith("sqlite:") else "penstock.live_jobs"
    with looking(store_url) as connection:
        assert connection.execute("select id from offer").fetchall() == [(7,)]
        assert connection.execute(f"select arguments from {jobs}").fetchall() == [('{"offer_id":7}',)]
