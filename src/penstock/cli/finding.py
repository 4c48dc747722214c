"""Finds the app that a command is about: `--app`, `PENSTOCK_APP`, or `[tool.penstock] app` in pyproject.toml."""

import sys
from pathlib import Path

import click

from penstock import config
from penstock.app import Penstock


def find_app(context: click.Context) -> Penstock:
    """Import the app. Raises `ConfigurationError` where there is none."""
    if "" not in sys.path:
        sys.path.insert(0, "")  # what lies here goes before what is installed, as for `python -m`
    return config.find_app(Penstock, context.find_root().obj, "use --app module:app", Path.cwd())
