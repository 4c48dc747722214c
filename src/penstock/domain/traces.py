"""What is known of where time went, in values: what the traces of a process come to, and what is kept of them.

A *trace* is one piece of work from its begin to its end: an attempt, a window, a run, a layer of a run, or any code
that was given a name. Its *phases* add up to its wall time. Times are whole microseconds.
"""

from typing import Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec

from penstock.domain.parameters import Parameters

Kind = Literal["task", "window", "run", "layer", "trace"]
"""What it is of: an attempt at a job of a task, a window, a run, one layer of a run, code that was given a name."""
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]

_CONTROL = frozenset({"CONNECT", "EMPTY", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET"})

PHASES = ("waited", "read", "queried", "called", "computed", "limited", "slept", "other")
"""Before it began; reading a source; in a database; in a call; on the CPU; for a permit; in a sleep; anything else."""


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One execution of a statement, kept as an example: `call` is its number among those of its trace, from 0."""

    call: int
    took_us: int
    rows: int | None = None
    parameters: Parameters | None = None


class CallSite(msgspec.Struct, frozen=True):
    """Where in the user's code a statement or a call came from, and how often."""

    file: str
    line: int
    function: str
    calls: int


class StatementSeen(msgspec.Struct, kw_only=True):
    """One statement, by fingerprint, under one name of traces in one database.

    `text` is as the driver was given it, except for literals that may be data; `driver` tells its placeholders.
    `samples` are the first, some of the middle and the last of the longest trace, and the slowest. `by_position` are,
    for each tenth of that trace's calls, calls and their total. `at_most_one` counts calls that gave a row or none,
    `traces` those in which the statement came, `most_calls` its calls in the one where it came most often.
    `monotone` says that one parameter only grew (or only shrank) from call to call; None if there was none to tell by.
    """

    fingerprint: str
    text: str
    driver: str
    database: str | None = None
    calls: int = 0
    failed: int = 0
    rows: int = 0
    total_us: int = 0
    max_us: int = 0
    locked_us: int = 0
    at_most_one: int = 0
    traces: int = 0
    most_calls: int = 0
    monotone: bool | None = None
    sites: list[CallSite] = []
    samples: list[Sample] = []
    by_position: list[tuple[int, int]] = []


class CallSeen(msgspec.Struct, kw_only=True):
    """HTTP calls of one route: `route` is the path with `*` for what looks like an identifier."""

    method: str
    host: str
    route: str
    calls: int = 0
    failed: int = 0
    total_us: int = 0
    max_us: int = 0
    traces: int = 0
    most_calls: int = 0
    sites: list[CallSite] = []


class TraceSeen(msgspec.Struct, kw_only=True):
    """What the traces of one kind and name came to within one hour, `since` in milliseconds of the epoch.

    `total_us` and `max_us` are from begin to end. `phases` is in the order of `PHASES`: those after `waited` add up to
    `total_us`, and what was waited, from when the work was due until it began, comes on top. `durations` counts times
    from begin to end by bucket (see `penstock.domain.histogram`, in microseconds). `cpu_us` is time on the CPU of those
    traces whose time on the CPU is known; None where it is of none.
    """

    kind: Kind
    name: str
    since: int
    traces: int = 0
    failed: int = 0
    total_us: int = 0
    max_us: int = 0
    cpu_us: int | None = None
    phases: list[int] = msgspec.field(default_factory=lambda: [0] * len(PHASES))
    durations: dict[int, int] = {}


_POSTGRES_PORT = 5432


def database_name(dialect: str, name: str, host: str | None = None, port: int | str | None = None) -> str:
    """How a database is told: `postgresql://host:port/name` or `sqlite:///path`, never with user or password.

    A socket's folder stands as the host, percent-encoded; without a host it is localhost, without a port 5432.
    """
    if dialect.partition("+")[0] == "sqlite":
        return f"sqlite:///{name}"
    place = f"{quote(host or 'localhost', safe='')}:{port or _POSTGRES_PORT}"
    return f"{_dialect(dialect)}://{place}/{quote(name, safe='')}"


def database_of(url: str) -> str:
    """The same, of a URL as drivers and SQLAlchemy take it (`postgresql+psycopg://user:secret@host/name?host=…`)."""
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] == "sqlite":
        return database_name("sqlite", url.partition(":///")[2].partition("?")[0])
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    place = parts.netloc.rpartition("@")[2]
    host, _, port = place.rpartition(":") if place.rpartition(":")[2].isdecimal() else (place, "", "")
    name = unquote(parts.path.lstrip("/")) or asked.get("dbname") or unquote(parts.username or "")
    return database_name(parts.scheme, name, unquote(host) or asked.get("host"), port or asked.get("port"))


def _dialect(scheme: str) -> str:
    plain = scheme.partition("+")[0]
    return "postgresql" if plain in ("postgres", "postgresql") else plain


def is_control(text: str) -> bool:
    """Whether a statement only begins or ends something, a connection or a transaction: it takes time, but has no plan.
    """
    return "".join(text[:100].split(None, 1)[:1]).rstrip(";").upper() in _CONTROL
