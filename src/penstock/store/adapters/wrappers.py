"""Connections inside of frameworks. A framework executes by itself: only so does it begin what it is to roll back,
and does the statement appear in its log and pass through its hooks.
"""

from typing import Any

from penstock.store.adapters import forms
from penstock.store.adapters.drivers import driver_link
from penstock.store.adapters.link import Kind, Link
from penstock.store.port import Row


def sqlalchemy(connection: Any) -> Link:
    """A SQLAlchemy `Connection`."""
    inner = driver_link(connection.connection.driver_connection, "SQLAlchemy")

    def run(sql: str, params: Any) -> list[Row]:
        return _rows(connection.exec_driver_sql(sql, params or None))

    return Link(inner.driver, inner.dialect, inner.form, run)


def sqlalchemy_session(session: Any) -> Link:
    """A SQLAlchemy `Session` or `scoped_session`; its transaction begins, if it has not yet."""
    return sqlalchemy(session.connection())


async def sqlalchemy_async(connection: Any) -> Link:
    """A SQLAlchemy `AsyncConnection`."""
    inner = driver_link((await connection.get_raw_connection()).driver_connection, "SQLAlchemy")

    async def run(sql: str, params: Any) -> list[Row]:
        return _rows(await connection.exec_driver_sql(sql, params or None))

    return Link(inner.driver, inner.dialect, inner.form, run)


async def sqlalchemy_async_session(session: Any) -> Link:
    """A SQLAlchemy `AsyncSession` or `async_scoped_session`."""
    return await sqlalchemy_async(await session.connection())


def django(connection: Any) -> Link:
    """`django.db.connection`, or one of `django.db.connections`."""
    connection.ensure_connection()
    inner = driver_link(connection.connection, "Django")
    form = forms.with_percents if inner.dialect == "sqlite" else inner.form

    def run(sql: str, params: Any) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return [tuple(row) for row in cursor.fetchall()]

    return Link(inner.driver, inner.dialect, form, run)


def _rows(result: Any) -> list[Row]:
    return [tuple(row) for row in result] if result.returns_rows else []


WRAPPERS = (
    Kind("sqlalchemy.orm", ("Session", "scoped_session"), sqlalchemy_session),
    Kind("sqlalchemy.engine", ("Connection",), sqlalchemy),
    Kind("sqlalchemy.ext.asyncio", ("AsyncSession", "async_scoped_session"), sqlalchemy_async_session,
         asynchronous=True),
    Kind("sqlalchemy.ext.asyncio", ("AsyncConnection",), sqlalchemy_async, asynchronous=True),
    Kind("django.db.backends.base.base", ("BaseDatabaseWrapper",), django),
    Kind("django.utils.connection", ("ConnectionProxy",), django),
)
