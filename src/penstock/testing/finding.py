"""Finds the app that tests are about, where the commands look for theirs: a name that is given, `PENSTOCK_APP`, or
`[tool.penstock] app` in pyproject.toml."""

import importlib
import os
import sys
import tomllib
from pathlib import Path

from penstock.app import Penstock
from penstock.domain.errors import ConfigurationError


def find_app(given: str | None, folder: Path) -> Penstock:
    """Import the app; `folder` is that of pyproject.toml. Raises `ConfigurationError` where there is none."""
    name = given or os.environ.get("PENSTOCK_APP") or _from_file(folder / "pyproject.toml")
    if not name:
        raise ConfigurationError("expected an app, got none: override the fixture penstock_app_path to give"
                                 f" \"module:app\", set PENSTOCK_APP, or write app = \"module:app\" under"
                                 f" [tool.penstock] in {folder / 'pyproject.toml'}")
    module_name, _, attribute = name.partition(":")
    found = getattr(_module(name, module_name, folder), attribute or "app", None)
    if not isinstance(found, Penstock):
        raise ConfigurationError(f"app {name!r}: expected a Penstock at {attribute or 'app'!r} of {module_name}, got"
                                 f" {type(found).__name__}")
    return found


def _module(name: str, module_name: str, folder: Path) -> object:
    """The app's module, which may lie in the project's folder rather than on the path."""
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(f"app {name!r}: no module {module_name!r} is installed or in {folder}") from None


def _from_file(path: Path) -> str | None:
    if not path.is_file():
        return None
    found = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("penstock", {}).get("app")
    return str(found) if found else None
