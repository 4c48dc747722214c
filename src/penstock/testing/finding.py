"""Finds the app that tests are about, as the commands find theirs; here a fixture may name it."""

from pathlib import Path

from penstock import config
from penstock.app import Penstock


def find_app(given: str | None, folder: Path) -> Penstock:
    """Import the app; `folder` is that of pyproject.toml. Raises `ConfigurationError` where there is none."""
    return config.find_app(Penstock, given, "override the fixture penstock_app_path to give \"module:app\"", folder)
