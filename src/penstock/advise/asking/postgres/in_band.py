"""Plans taken in band: `auto_explain` sends the plan of what was run anyway as a notice, so nothing is run twice.

The plan is that of the very execution, in the job's own session: with its settings, its transaction and its values.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from penstock.advise.asking.keeping import PlansKept
from penstock.domain.advice import Plan, Schema
from penstock.domain.fingerprint import fingerprint
from penstock.domain.plans import plan, read_postgres, trap

_NOTICE = re.compile(r"\s*duration: (?P<ms>[\d.]+) ms\s+plan:\s*(?P<plan>\{.*\})\s*", re.DOTALL)
Take = Callable[[str, Plan], None]
"""Is told the text of a statement and the plan that it had."""


def read_notice(message: str, *, redact: bool = True) -> tuple[str, Plan] | None:
    """The statement and the plan in one of auto_explain's messages (`log_format` json); None for any other message."""
    found = _NOTICE.fullmatch(message)
    if not found:
        return None
    try:
        told = msgspec.json.decode(found["plan"])
        root = read_postgres(told, redact=redact)
    except (msgspec.DecodeError, ValueError):
        return None
    root = msgspec.structs.replace(root, took_us=round(float(found["ms"]) * 1000))
    return str(told.get("Query Text", "")), plan(root, parameters="slowest", analysed=root.actual_rows is not None)


@contextlib.contextmanager
def in_band(connection: "psycopg.Connection[Any]", take: Take, *, slower_than_ms: int = 1000, analyse: bool = False,
            redact: bool = True) -> Iterator[None]:
    """While inside, `take` is told the plan of each statement on `connection` that takes longer.

    The session needs `auto_explain` (`session_preload_libraries`, or the right to LOAD it) and the right to set it:
    PostgreSQL 15 lets a role have that by GRANT SET ON PARAMETER. Raises `psycopg.errors.InsufficientPrivilege`
    without. `analyse` adds what was measured, at the cost of timing each node.
    """
    def heard(notice: psycopg.errors.Diagnostic) -> None:
        if found := read_notice(notice.message_primary or "", redact=redact):
            take(*found)

    was = _set(connection, {
        "auto_explain.log_min_duration": str(slower_than_ms), "auto_explain.log_format": "json",
        "auto_explain.log_analyze": str(analyse), "auto_explain.log_buffers": str(analyse),
        "auto_explain.log_timing": "off", "auto_explain.log_nested_statements": "off", "client_min_messages": "log"})
    connection.add_notice_handler(heard)
    try:
        yield
    finally:
        connection.remove_notice_handler(heard)
        with contextlib.suppress(psycopg.Error):
            _set(connection, was)


def into(kept: PlansKept, database: str) -> Take:
    """What keeps plans by the fingerprint of their statement."""
    def take(text: str, found: Plan) -> None:
        trapped = [found.shape] if trap(found, Schema(dialect="postgres")) else []
        kept.keep(fingerprint(text), database, [found], trapped)

    return take


def _set(connection: "psycopg.Connection[Any]", values: dict[str, str]) -> dict[str, str]:
    """Set parameters of the session, and give what they were."""
    loaded = connection.execute("select current_setting('auto_explain.log_min_duration', true)").fetchone()
    if loaded is None or loaded[0] is None:
        connection.execute("load 'auto_explain'")
    was = {}
    for name, value in values.items():
        row = connection.execute("select current_setting(%s)", [name]).fetchone()
        assert row is not None
        was[name] = row[0]
        connection.execute(sql.SQL("select set_config({}, {}, false)").format(sql.Literal(name), sql.Literal(value)))
    return was
