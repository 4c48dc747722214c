"""Settings, frozen: what a file says, over which the environment goes, over which the app's own arguments go.

Every fault is reported at once. Where the app itself is, for those that have to find it, is said in the same way.
"""

import importlib
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from penstock.domain.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """How one app runs. In `pyproject.toml` under `[tool.penstock]`; in the environment as `PENSTOCK_…`."""

    url: str = "sqlite:///penstock.db"
    replica_url: str | None = None
    """A hot standby of the store, which the dashboard reads from; PostgreSQL alone. See docs/web.md."""
    lease_seconds: float = 30.0
    """How long a silent worker keeps its jobs; it renews three times as often."""
    poll_seconds: float = 1.0
    """How often a worker looks for work that nobody told it of."""
    grace_seconds: float = 25.0
    """How long a soft stop waits for running jobs before it gives them back."""
    busy_timeout_seconds: float = 10.0
    """How long to wait for SQLite's write lock."""
    pool_size: int = 10
    """The most connections of one process to PostgreSQL."""
    payload_limit_bytes: int = 256 * 1024
    """The most that the arguments of one job may come to, as JSON."""
    patience_seconds: float = 5.0
    """How long an attempt may ignore that it is to end before it is settled without it."""
    abandoned_limit: int = 10
    """After how many attempts that had to be abandoned a worker drains and exits, to be started again."""
    process_max_jobs: int | None = None
    """After how many jobs a child process of a worker makes room for a fresh one; None: never."""
    process_max_memory_mb: int | None = None
    """From how much resident memory on it does so, once its job has ended; None: never."""
    runs_kept_days: float = 30.0
    """How long a finished run is kept; the newest of each subject always is."""
    traces: bool = True
    """Whether work is traced: where its time goes, by statement and by call. See docs/traces.md."""
    traces_kept_days: float = 14.0
    """How long what is kept of traces is kept."""
    alert_webhook: str | None = None
    """Where alerts are posted to."""
    alert_secret: str | None = field(default=None, repr=False)
    """What they are signed with there."""
    encryption_keys: str | None = field(default=None, repr=False)
    """The keys of sealed arguments, `name:base64` divided by commas; the first one seals, all of them open."""
    web_tokens: str | None = field(default=None, repr=False)
    """Who may use the dashboard: `NAME=SCOPE+SCOPE:HASH`, divided by commas. See docs/web.md."""
    web_secret: str | None = field(default=None, repr=False)
    """What sessions of the dashboard are signed with; without it, they end with the process."""
    web_hosts: str | None = None
    """The names that the dashboard is reached by, besides `localhost` and addresses, divided by commas."""
    web_masked: str = ("password,passwd,passphrase,secret,token,authorization,api_key,access_key,private_key,"
                       "credential,cookie,session_id")
    """Names whose values the dashboard hides wherever it shows arguments, results, notes and errors."""
    journal_kept_days: float = 180.0
    """How long it is kept who changed what."""
    now: str | None = None
    """The SQL expression for the time; only tests set it."""


_MOST = 1_000_000_000
_WHOLE = ("pool_size", "payload_limit_bytes", "abandoned_limit", "process_max_jobs", "process_max_memory_mb")
_POSITIVE = ("lease_seconds", "poll_seconds", "grace_seconds", "busy_timeout_seconds", "patience_seconds",
             "runs_kept_days", "traces_kept_days", "journal_kept_days", *_WHOLE)
_SWITCHES = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
_SWITCHED = ("traces",)
_TEST_ONLY = ("now",)
_NEVER_IN_A_FILE = ("encryption_keys", "web_secret")
_SECRET = ("alert_secret", "encryption_keys", "web_secret", "web_tokens")
_CALLED = ("alert_webhook",)
_MASK = "***"
_IN_FRONT = re.compile(r"//([^:/@]*):.*@")
_IN_QUERY = re.compile(r"([?&][a-z_]*(?:password|key|secret|token)[a-z_]*=)[^&#]*", re.IGNORECASE)
_ELSEWHERE = ("app",)  # no setting of an app: `find_app` asks for it


Origin = Literal["default", "pyproject.toml", "environment", "arguments"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is shown to people: without what is secret in it. `origin` is where its value came from."""

    name: str
    value: bool | int | float | str | None
    origin: Origin


def load(arguments: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ,
         folder: Path | None = None) -> Settings:
    """The settings of an app. Raises `ConfigurationError` with every fault."""
    return traced(arguments, environment=environment, folder=folder)[0]


def traced(arguments: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ,
           folder: Path | None = None) -> tuple[Settings, dict[str, Origin]]:
    """The settings, and of those that are no defaults where they came from. Raises as `load` does."""
    known = {item.name: item.type for item in fields(Settings)}
    faults: list[str] = []
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    file = {name: value for name, value in _file(folder or Path.cwd(), faults).items() if name not in _ELSEWHERE}
    layers: tuple[tuple[Origin, Mapping[str, Any]], ...] = (
        ("pyproject.toml", file), ("environment", _environment(environment)), ("arguments", arguments))
    for origin, given in layers:
        for name, value in given.items():
            if name not in known or (name in _TEST_ONLY and origin != "arguments"):
                if origin == "environment":  # PENSTOCK_TEST_POSTGRES and the like are not ours to judge
                    continue
                near = get_close_matches(name, known, 1)
                faults.append(f"{origin}: unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            elif name in _NEVER_IN_A_FILE and origin == "pyproject.toml":
                faults.append(f"{origin}: {name}: expected it in the environment, as PENSTOCK_{name.upper()}: a file"
                              " that is kept with the code is no place for keys")
            elif value is not None:
                values[name], origins[name] = _typed(name, value, origin, faults), origin
    for name in _POSITIVE:
        if name in values and isinstance(values[name], int | float) and not 0 < values[name] < _MOST:
            faults.append(f"{name}: expected more than 0 and less than {_MOST}, got {values[name]!r}")
    if faults:
        raise ConfigurationError(faults)
    return Settings(**values), origins


def shown(settings: Settings, origins: Mapping[str, Origin]) -> list[Setting]:
    """Every setting that people can set, by name, with its secrets masked."""
    return [Setting(item.name, _masked(item.name, getattr(settings, item.name)), origins.get(item.name, "default"))
            for item in sorted(fields(Settings), key=lambda item: item.name) if item.name not in _TEST_ONLY]


def _masked(name: str, value: Any) -> Any:
    """A URL keeps its host and what it names there; one that is called itself tells its path to whoever may call it."""
    if value is None or not isinstance(value, str):
        return value
    if name in _SECRET:
        return _MASK
    if name in _CALLED:
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.hostname or ''}/{_MASK}"
    return _IN_QUERY.sub(rf"\1{_MASK}", _IN_FRONT.sub(rf"//\1:{_MASK}@", value))


def _file(folder: Path, faults: list[str]) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        section = _section(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"pyproject.toml: {error}")
        return {}
    if not isinstance(section, dict):
        faults.append(f"pyproject.toml: expected a table [tool.penstock], got {section!r}")
        return {}
    return section


@lru_cache(4)
def _section(text: str) -> Any:
    """What a file says of us. Every app reads it again, and to parse it takes longer than all else that an app does."""
    return tomllib.loads(text).get("tool", {}).get("penstock", {})


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    prefix = "PENSTOCK_"
    return {name.removeprefix(prefix).lower(): value for name, value in environment.items()
            if name.startswith(prefix) and name.removeprefix(prefix).lower() not in _ELSEWHERE}


def _typed(name: str, value: Any, origin: str, faults: list[str]) -> Any:
    if name in _SWITCHED:
        return _switched(name, value, origin, faults)
    kind = int if name in _WHOLE else float if name in _POSITIVE else str
    wanted = "a whole number" if kind is int else "a number"
    if kind is not str and (isinstance(value, bool) or (kind is int and isinstance(value, float) and value % 1)):
        faults.append(f"{origin}: {name}: expected {wanted}, got {value!r}")
        return value
    try:
        return kind(value)
    except (TypeError, ValueError):
        faults.append(f"{origin}: {name}: expected {wanted}, got {value!r}")
        return value


def _switched(name: str, value: Any, origin: str, faults: list[str]) -> Any:
    found = value if isinstance(value, bool) else _SWITCHES.get(str(value).strip().lower())
    if found is None:
        faults.append(f"{origin}: {name}: expected true or false, got {value!r}")
    return found


def app_named(given: str | None, folder: Path) -> tuple[str | None, Origin]:
    """Where the app is, and who says so. Raises `ConfigurationError` for a file that cannot be read."""
    if given:
        return given, "arguments"
    if name := os.environ.get("PENSTOCK_APP"):
        return name, "environment"
    faults: list[str] = []
    named = _file(folder, faults).get("app")
    if faults:
        raise ConfigurationError(faults)
    return (str(named), "pyproject.toml") if named else (None, "default")


def find_app(kind: type[T], given: str | None, how: str, folder: Path) -> T:
    """Import the app: `given` as `module:attribute`, else as `PENSTOCK_APP` or `[tool.penstock] app` says.

    `how` says how the caller lets people give it, `folder` is that of pyproject.toml, and of modules that are not on
    the path. Raises `ConfigurationError` where there is no app.
    """
    name, _ = app_named(given, folder)
    if not name:
        raise ConfigurationError(f"expected an app, got none: {how}, set PENSTOCK_APP, or write"
                                 f" app = \"module:app\" under [tool.penstock] in {folder / 'pyproject.toml'}")
    module_name, _, attribute = str(name).partition(":")
    top = module_name.partition(".")[0]
    if top not in sys.modules and str(folder) not in sys.path and find_spec(top) is None:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the app is there, and what it needs is not
        raise ConfigurationError(f"app {name!r}: no module {module_name!r} is installed or in {folder}") from None
    found = getattr(module, attribute or "app", None)
    if not isinstance(found, kind):
        apps = [key for key, value in vars(module).items() if isinstance(value, kind)]
        hint = f"; {module_name} has {', '.join(apps)}" if apps else ""
        raise ConfigurationError(f"app {name!r}: expected a {kind.__name__} at {attribute or 'app'!r}, got"
                                 f" {type(found).__name__}{hint}")
    return found
