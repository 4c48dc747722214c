"""Finds the app that a command is about: `--app`, `PENSTOCK_APP`, or `[tool.penstock] app` in pyproject.toml."""

import importlib
import os
import sys
import tomllib
from pathlib import Path

import click

from penstock.app import Penstock
from penstock.domain.errors import ConfigurationError


def find_app(context: click.Context) -> Penstock:
    """Import the app. Raises `ConfigurationError` where there is none."""
    name = context.find_root().obj or os.environ.get("PENSTOCK_APP") or _from_file(Path("pyproject.toml"))
    if not name:
        raise ConfigurationError("expected an app, got none: use --app module:app, set PENSTOCK_APP, or write app ="
                                 " \"module:app\" under [tool.penstock] in pyproject.toml")
    return load_app(name)


def load_app(name: str) -> Penstock:
    """The `Penstock` behind `module:attribute` (`attribute` is `app` where it is left out)."""
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0] and error.name != module_name:
            raise
        raise ConfigurationError(f"--app {name}: no module {module_name!r} in {Path.cwd()} or installed") from None
    found = getattr(module, attribute or "app", None)
    if not isinstance(found, Penstock):
        apps = [key for key, value in vars(module).items() if isinstance(value, Penstock)]
        hint = f"; {module_name} has {', '.join(apps)}" if apps else ""
        raise ConfigurationError(f"--app {name}: expected a Penstock at {attribute or 'app'!r}, got"
                                 f" {type(found).__name__}{hint}")
    return found


def _from_file(path: Path) -> str | None:
    if not path.is_file():
        return None
    found = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("penstock", {}).get("app")
    return str(found) if found else None
