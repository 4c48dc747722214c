"""The catalogue of SQL statements: read from `sql/*.sql`, found by name, compiled for one dialect.

A statement stands once under `-- name: NAME`, shared by the dialects, or once per dialect, each with
`-- dialect: DIALECT` and `-- differs: WHY`. In the files a table is `penstock.jobs` (SQLite has no schemas: there
the prefix `penstock_` takes the schema's place), the table of a layer is `penstock.layer`, and the time is
`penstock.now()`: the one expression that tests can set; `penstock.is_tagged()` says whether a job has the `:tag` among
its `tags`, and `penstock.tags_as_json()` gives these. What is one statement with several writes on PostgreSQL is
several statements on SQLite, run one after the other; the last gives the rows. Where a statement is about many rows,
PostgreSQL takes an array for each column, SQLite one JSON array of rows, whose columns `-- columns:` names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Literal

from penstock.store.tokens import Kind, Token, tokenise

Dialect = Literal["postgres", "sqlite"]
DIALECTS: tuple[Dialect, ...] = ("postgres", "sqlite")

NOW: dict[Dialect, str] = {
    "postgres": "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    "sqlite": "cast((julianday('now') - 2440587.5) * 86400000 as integer)",
}

WRITTEN: dict[Dialect, dict[str, str]] = {
    "postgres": {"penstock.is_tagged()": ":tag = any (tags)",
                 "penstock.tags_as_json()": "cast(array_to_json(tags) as text)"},
    "sqlite": {"penstock.is_tagged()": "exists (select 1 from json_each(tags) t where t.value = :tag)",
               "penstock.tags_as_json()": "tags"},
}
"""What statements say in one way, and each dialect writes in its own."""

_HEADER = re.compile(r"^-- (name|dialect|columns|differs): *(.+?) *$")
_LAYER_NAME = re.compile(r"[a-z][a-z0-9_]{0,55}")
_PERCENT = re.compile(r"%%|%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL as one driver takes it, with the names of its parameters in order of appearance, without repeats.

    `parts` are the statements to be run one after the other in one transaction: more than one on SQLite only.
    `columns` are those of the parameter `rows`, where there is one.
    """

    sql: str
    names: tuple[str, ...]
    parts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A statement as it stands in its file."""

    name: str
    text: str
    differs: str | None
    columns: tuple[str, ...] = ()


def compile_sql(text: str, dialect: Dialect, *, now: str | None = None, layer: str | None = None,
                former: str | None = None) -> Compiled:
    """Turn a statement into what the dialect's driver takes.

    `now` replaces `penstock.now()`, `layer` names the table behind `penstock.layer` (or `penstock.slot`), `former` that
    behind `penstock.former`. For psycopg parameters become `%(name)s` and every other `%` is doubled; sqlite3 takes
    `:name` as it stands.
    """
    names: dict[str, None] = {}
    parts: list[str] = []
    ends: list[int] = []
    for kind, piece in _written(text, dialect):
        if kind is Kind.OTHER and piece == ";":
            ends.append(len(parts))
        if kind is Kind.PARAMETER:
            names[piece[1:]] = None
            parts.append(f"%({piece[1:]})s" if dialect == "postgres" else piece)
        elif kind is Kind.COMMENT:
            parts.append(" ")  # what stands on either side of it stays apart
        elif kind is Kind.NAME and piece.startswith("penstock."):
            parts.append(_own_name(piece, dialect, now, layer, former))
        else:
            parts.append(piece.replace("%", "%%") if dialect == "postgres" else piece)
    bounds = [0, *(end + 1 for end in ends), len(parts) + 1]
    pieces = ("".join(parts[start:end - 1]).strip() for start, end in pairwise(bounds))
    return Compiled("".join(parts).strip(), tuple(names), tuple(piece for piece in pieces if piece))


def _written(text: str, dialect: Dialect) -> Iterator[Token]:
    """The tokens of a statement, each word of ours as the dialect writes it."""
    for token in tokenise(text):
        own = WRITTEN[dialect].get(token.text) if token.kind is Kind.NAME else None
        if own is None:
            yield token
        else:
            yield from tokenise(own)


_LAYER_TABLES = ("layer", "layer_claims", "layer_unsettled", "layer_claimed", "layer_aside", "slot")
_FORMER_TABLES = ("former", "former_claims")


def _own_name(piece: str, dialect: Dialect, now: str | None, layer: str | None, former: str | None) -> str:
    if piece == "penstock.now()":
        expression = now or NOW[dialect]
        return expression.replace("%", "%%") if dialect == "postgres" else expression
    schema, _, rest = piece.partition(".")
    table, _, column = rest.partition(".")
    if table in _LAYER_TABLES or table in _FORMER_TABLES:
        named = former if table in _FORMER_TABLES else layer
        if named is None or not _LAYER_NAME.fullmatch(named):
            raise ValueError(f"a statement on a layer's table needs the layer's table name, got {named!r}")
        table = table.replace(table.partition("_")[0], named, 1)
    name = f"{schema}.{table}" if dialect == "postgres" else f"{schema}_{table}"
    return f"{name}.{column}" if column else name


def parse(text: str, origin: str) -> dict[tuple[str, Dialect], Source]:
    """The statements of one file, each under its name and every dialect that it serves."""
    found: dict[tuple[str, Dialect], Source] = {}
    for block in re.split(r"(?m)^(?=-- name:)", text):
        headers: dict[str, str] = {}
        body: list[str] = []
        for line in block.splitlines():
            header = _HEADER.match(line)
            if header and not body:
                headers[header[1]] = header[2]
            else:
                body.append(line)
        if "name" not in headers:
            continue
        name, dialect = headers["name"], headers.get("dialect")
        if (dialect is None) != ("differs" not in headers):
            raise ValueError(f"{origin}: {name} needs both '-- dialect:' and '-- differs:', or neither")
        for served in DIALECTS:
            if dialect in (None, served):
                if (name, served) in found:
                    raise ValueError(f"{origin}: {name} stands twice for {served}")
                found[name, served] = Source(name, "\n".join(body).strip().rstrip(";"), headers.get("differs"),
                                             tuple(headers.get("columns", "").split()))
    return found


@cache
def catalogue() -> dict[tuple[str, Dialect], Source]:
    """Every statement of every file."""
    found: dict[tuple[str, Dialect], Source] = {}
    for entry in sorted(files("penstock.store").joinpath("sql").iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".sql"):
            for key, source in parse(entry.read_text("utf-8"), entry.name).items():
                if key in found:
                    raise ValueError(f"{entry.name}: {key[0]} stands in another file too")
                found[key] = source
    return found


@lru_cache(maxsize=4096)
def statement(name: str, dialect: Dialect, *, now: str | None = None, layer: str | None = None,
              former: str | None = None) -> Compiled:
    """The statement `name`, compiled; KeyError where no file has it."""
    source = catalogue()[name, dialect]
    return replace(compile_sql(source.text, dialect, now=now, layer=layer, former=former), columns=source.columns)


@lru_cache(maxsize=1024)
def positional(sql: str) -> tuple[str, tuple[str, ...]]:
    """SQLite's `:name` parameters as `?`, with the name for each in order: `executemany` takes rows in this form."""
    names: list[str] = []
    parts: list[str] = []
    for kind, piece in tokenise(sql):
        if kind is Kind.PARAMETER:
            names.append(piece[1:])
            piece = "?"
        parts.append(piece)
    return "".join(parts), tuple(names)


@lru_cache(maxsize=1024)
def numbered(sql: str, casts: tuple[tuple[str, str], ...] = ()) -> tuple[str, tuple[str, ...]]:
    """PostgreSQL's compiled `%(name)s` parameters as `$1`, with the name for each number; `casts` are written after
    theirs."""
    cast_of = dict(casts)
    numbers: dict[str, int] = {}

    def written(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "%"
        return f"${numbers.setdefault(name, len(numbers) + 1)}{cast_of.get(name, '')}"

    return _PERCENT.sub(written, sql), tuple(numbers)
