"""Settings, frozen: what a file says, over which the environment goes, over which the app's own arguments go.

Every fault is reported at once.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from penstock.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Settings:
    """How one app runs. In `pyproject.toml` under `[tool.penstock]`; in the environment as `PENSTOCK_…`."""

    url: str = "sqlite:///penstock.db"
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
    now: str | None = None
    """The SQL expression for the time; only tests set it."""


_MOST = 1_000_000_000
_WHOLE = ("pool_size", "payload_limit_bytes", "abandoned_limit")
_POSITIVE = ("lease_seconds", "poll_seconds", "grace_seconds", "busy_timeout_seconds", "patience_seconds", *_WHOLE)
_TEST_ONLY = ("now",)
_ELSEWHERE = ("app",)  # `[tool.penstock] app` and PENSTOCK_APP tell the command line where the app is


def load(arguments: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ,
         folder: Path | None = None) -> Settings:
    """The settings of an app. Raises `ConfigurationError` with every fault."""
    known = {item.name: item.type for item in fields(Settings)}
    faults: list[str] = []
    values: dict[str, Any] = {}
    for origin, given in (("pyproject.toml", _file(folder or Path.cwd(), faults)),
                          ("environment", _environment(environment)), ("arguments", arguments)):
        for name, value in given.items():
            if name not in known or (name in _TEST_ONLY and origin != "arguments"):
                if origin == "environment":  # PENSTOCK_TEST_POSTGRES and the like are not ours to judge
                    continue
                near = get_close_matches(name, known, 1)
                faults.append(f"{origin}: unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            elif value is not None:
                values[name] = _typed(name, value, origin, faults)
    for name in _POSITIVE:
        if name in values and isinstance(values[name], int | float) and not 0 < values[name] < _MOST:
            faults.append(f"{name}: expected more than 0 and less than {_MOST}, got {values[name]!r}")
    if faults:
        raise ConfigurationError(faults)
    return Settings(**values)


def _file(folder: Path, faults: list[str]) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        section = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("penstock", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"pyproject.toml: {error}")
        return {}
    if not isinstance(section, dict):
        faults.append(f"pyproject.toml: expected a table [tool.penstock], got {section!r}")
        return {}
    return {name: value for name, value in section.items() if name not in _ELSEWHERE}


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    prefix = "PENSTOCK_"
    return {name.removeprefix(prefix).lower(): value for name, value in environment.items()
            if name.startswith(prefix) and name.removeprefix(prefix).lower() not in _ELSEWHERE}


def _typed(name: str, value: Any, origin: str, faults: list[str]) -> Any:
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
