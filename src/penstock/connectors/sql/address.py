"""Where a database is: a URL, checked without opening anything.

A PostgreSQL URL may carry a password, so nothing in here ever repeats one in a message.
"""

from dataclasses import dataclass, field

from penstock.connectors.sql.wording import did_you_mean
from penstock.domain.errors import ConfigurationError
from penstock.store.statements import Dialect

SCHEMES: dict[str, Dialect] = {"sqlite": "sqlite", "postgresql": "postgres", "postgres": "postgres"}
EXPECTED = "sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host:port/database"


@dataclass(frozen=True, slots=True)
class Address:
    """`target` is the file's path for SQLite, and the whole URL for PostgreSQL."""

    dialect: Dialect
    target: str = field(repr=False)

    def __str__(self) -> str:
        """What a person may see of it."""
        return f"sqlite:///{self.target}" if self.dialect == "sqlite" else "postgresql://…"


def parse_url(url: str, who: str = "SQLSource") -> Address:
    """The address that `url` means; ConfigurationError, in the name of `who` was given it, where it means none."""
    scheme, separator, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not separator:
        # It could be a libpq string with a password in it: say nothing of it.
        raise ConfigurationError(f"{who} expects a URL ({EXPECTED}), but got something without '://'.")
    dialect = SCHEMES.get(scheme)
    if dialect is None:
        raise ConfigurationError(
            f"{who} expects a URL such as {EXPECTED}, but got the scheme {scheme!r}."
            + did_you_mean(scheme.partition("+")[0], SCHEMES)
        )
    return Address(dialect, _sqlite_path(rest, who) if dialect == "sqlite" else url)


def _sqlite_path(rest: str, who: str) -> str:
    """The path in `sqlite://` + `rest`."""
    path = rest.removeprefix("/")
    if not rest.startswith("/"):
        fault = "two slashes would name a host"
    elif not path:
        fault = "it names no file"
    elif path == ":memory:":
        fault = "a database in memory is seen only by the connection that made it"
    elif "?" in path:
        fault = "it takes no options after '?'"
    else:
        return path
    raise ConfigurationError(
        f"{who} expects sqlite:///relative/path or sqlite:////absolute/path, but got sqlite://{rest}: {fault}."
    )
