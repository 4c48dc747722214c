"""The databases that an app's statements go to: named so that they may be explained, and never written to."""

from dataclasses import dataclass, field
from typing import Any, get_args

from penstock.app.storing import Storing
from penstock.domain.errors import ConfigurationError
from penstock.domain.parameters import Keeping
from penstock.domain.traces import database_of

_SCHEMES = ("postgresql", "postgres", "sqlite")


@dataclass(frozen=True, slots=True)
class NamedDatabase:
    """A database that may be explained. `place` is how traces tell it: the URL without user and password."""

    name: str
    url: str = field(repr=False)
    parameters: Keeping = "plain"

    @property
    def place(self) -> str:
        return database_of(self.url)


class Databases(Storing):
    """Names databases."""

    def __init__(self, url: str | None = None, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.databases: dict[str, NamedDatabase] = {}

    def database(self, name: str, url: str, *, parameters: Keeping = "plain") -> NamedDatabase:
        """Name a database whose plans may be asked for: `postgresql://…` or `sqlite:///…`.

        Nothing is ever changed there; it is not even opened before somebody asks for advice, or a traced statement was
        slow. `parameters` says what is kept of those of its statements: `"plain"` numbers, truth values and times,
        `"all"`, or `"none"`; see docs/adr/020. Raises `ConfigurationError`.
        """
        faults = []
        if not isinstance(name, str) or not name.strip():
            faults.append(f"database: expected a name, got {name!r}")
        elif name in self.databases:
            faults.append(f"database: {name!r} is named already")
        if not isinstance(url, str) or url.partition(":")[0].partition("+")[0] not in _SCHEMES:
            faults.append("database: expected a URL that begins with postgresql:// or sqlite:///, got"
                          f" {_without_secret(url)}")
        if parameters not in get_args(Keeping):
            faults.append(f"parameters: expected one of {', '.join(get_args(Keeping))}, got {parameters!r}")
        if faults:
            raise ConfigurationError(faults)
        self.databases[name] = found = NamedDatabase(name, url, parameters)
        return found

    def keeping(self, place: str | None) -> Keeping:
        """What may be kept of the parameters of a database's statements; `plain` of one that nobody has named."""
        return next((each.parameters for each in self.databases.values() if each.place == place), "plain")


def _without_secret(url: object) -> str:
    if not isinstance(url, str):
        return repr(url)
    return repr(f"{url.partition('://')[0][:20]}://…") if "://" in url else "something else"
