"""Migrations as text, for people to read and to run: plain SQL, Alembic, Django. Penstock never runs one.

An index is built concurrently, under no timeout. What an earlier attempt left behind is dropped first, only where it
is invalid; a valid index of that name ends the migration. Afterwards it is asked whether the new one is valid, since a
build that failed leaves one behind that only costs.
"""

import re
import textwrap
from collections.abc import Sequence
from hashlib import blake2b
from importlib.resources import files
from typing import Literal

from penstock.advise.proposing.naming import columns_sql, create_sql, quoted, table_sql
from penstock.domain.advice import Candidate, Dialect, Table

Style = Literal["sql", "alembic", "django"]
"""What is written."""
STYLES: tuple[Style, ...] = ("sql", "alembic", "django")

_WIDTH = 116
_GAP = re.compile(r"\{\{(\w+)\}\}")
_BOUND = re.compile(r"(?<![:\\\w]):(?=[A-Za-z_])")
_LEFT_OVER = """DO $left_over$
BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass({literal}) AND NOT indisvalid) THEN
        ALTER INDEX {index} RENAME TO {left_over};
    END IF;
END
$left_over$"""
_CHECK = """DO $valid$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass({literal}) AND indisvalid) THEN
        RAISE EXCEPTION 'the index {words} is invalid: its build was cut off; run this migration again';
    END IF;
END
$valid$"""


def migration(candidate: Candidate, style: Style, *, dialect: Dialect = "postgres", table: Table | None = None,
              queues: Sequence[str] = (), previous: str | None = None) -> str:
    """The text of a migration that creates the index.

    `table` tells of a partitioned one, whose partitions are indexed one by one. `queues` are those whose jobs keep long
    transactions. `previous` is the migration before it: a revision of Alembic, or `app.0007_name` of Django.
    """
    up, down = upgrade(candidate, dialect, table), downgrade(candidate, dialect)
    gaps = {
        "name": candidate.name, "table": candidate.table, "pause": _pause(queues),
        "afterwards": _afterwards(candidate, comment=style == "sql"),
        "revision": blake2b(create_sql(candidate, dialect).encode(), digest_size=6).hexdigest(),
    }
    if style == "sql":
        if dialect == "sqlite":
            return (f"{_wrapped(candidate.why, '-- ')}\n-- SQLite lets nobody else write while it builds the index.\n\n"
                    + "".join(f"{each};\n" for each in up))
        gaps |= {"why": _wrapped(candidate.why, "-- "), "statements": "\n\n".join(f"{each};" for each in up)}
    elif style == "alembic":
        gaps |= {"why": _wrapped(candidate.why, ""), "up": _executed(up), "down": _executed(down),
                 "previous": repr(previous) if previous else
                 "None  # expected: the revision before this one; `alembic heads` says which"}
    else:
        app, _, name = (previous or "").partition(".")
        gaps |= {"why": _wrapped(candidate.why, ""), "up": _listed(up), "down": _listed(down),
                 "previous": f"[({app!r}, {name!r})]" if previous else
                 "[]  # expected: (app, migration before this one); `manage.py showmigrations` says which"}
    text = files(__package__).joinpath("templates", f"{style}.txt").read_text(encoding="utf-8")
    return _GAP.sub(lambda gap: gaps[gap[1]], text)


def upgrade(candidate: Candidate, dialect: Dialect = "postgres", table: Table | None = None) -> list[str]:
    """The statements that make the index, each to be run by itself, outside of a transaction."""
    if dialect == "sqlite":
        return [create_sql(candidate, dialect), "ANALYZE " + quoted(candidate.table)]
    timeouts = ["SET lock_timeout = 0", "SET statement_timeout = 0"]
    analyse = [f"ANALYZE {table_sql(candidate)}"] if any(key.expression for key in candidate.keys) else []
    if table is not None and table.kind == "partitioned":
        made = _partitioned(candidate, table)
    else:
        made = _one(candidate.name, candidate.schema, create_sql(candidate, dialect, concurrently=True))
    return [*timeouts, *made, *analyse, "RESET lock_timeout", "RESET statement_timeout"]


def downgrade(candidate: Candidate, dialect: Dialect = "postgres") -> list[str]:
    """The statement that takes the index away again."""
    how = "CONCURRENTLY " if dialect == "postgres" else ""
    return [f"DROP INDEX {how}IF EXISTS {_index(candidate.name, candidate.schema)}"]


def _one(name: str, schema: str | None, create: str) -> list[str]:
    index, left_over = _index(name, schema), f"{name[:50]}_left_over"
    gaps = {"index": index, "literal": _literal(index), "left_over": quoted(left_over),
            "words": name.replace("'", "''").replace("%", "%%")}
    return [_LEFT_OVER.format(**gaps), f"DROP INDEX CONCURRENTLY IF EXISTS {_index(left_over, schema)}", create,
            _CHECK.format(**gaps)]


def _partitioned(candidate: Candidate, table: Table) -> list[str]:
    """An index of the whole that waits for one of each partition: only those can be built concurrently."""
    columns = columns_sql(candidate, "postgres")
    made = [f"CREATE INDEX {quoted(candidate.name)} ON ONLY {table_sql(candidate)} {columns}"]
    for number, partition in enumerate(table.partitions, 1):
        name = f"{candidate.name[:55]}_{number}"
        said, _, plain = partition.rpartition(".")
        schema = said or candidate.schema
        made += _one(name, schema, f"CREATE INDEX CONCURRENTLY {quoted(name)} ON {_index(plain, schema)} {columns}")
        made.append(f"ALTER INDEX {_index(candidate.name, candidate.schema)} ATTACH PARTITION {_index(name, schema)}")
    return made


def _index(name: str, schema: str | None) -> str:
    return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pause(queues: Sequence[str]) -> str:
    return "; ".join(f"penstock queues pause {queue}" for queue in queues) if queues else "penstock queues pause QUEUE"


def _afterwards(candidate: Candidate, *, comment: bool) -> str:
    if not candidate.replaces:
        return ""
    names = ", ".join(candidate.replaces)
    drops = " ".join(f"DROP INDEX CONCURRENTLY {_index(name, candidate.schema)};" for name in candidate.replaces)
    text = (f"Once `penstock advise` has seen that it works, {names} only costs what every write pays for it, and can"
            f" go, if nothing else needs it: {drops}")
    return ("\n" if comment else "") + _wrapped(text, "-- " if comment else "") + "\n"


def _wrapped(text: str, prefix: str) -> str:
    plain = text.replace('"""', "'''").replace("\\", "/") if not prefix else text
    return textwrap.fill(plain, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False,
                         break_on_hyphens=False)


def _executed(statements: Sequence[str]) -> str:
    """As calls of Alembic, which takes a word behind a colon for a parameter unless told otherwise."""
    return "\n".join(f"        op.execute({_python(_BOUND.sub(lambda _: chr(92) + ':', each), 12)})"
                     for each in statements)


def _listed(statements: Sequence[str]) -> str:
    return "\n".join(f"                {_python(each, 20)}," for each in statements)


def _python(text: str, indent: int) -> str:
    """A literal of Python; over several lines where the statement is."""
    lines = text.splitlines()
    if len(lines) == 1:
        return repr(text)
    inner = "\n".join(" " * indent + repr(line + ("\n" if place < len(lines) - 1 else ""))
                      for place, line in enumerate(lines))
    return f"(\n{inner}\n{' ' * (indent - 4)})"
