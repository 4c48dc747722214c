"""Finds the app that a command is about: `--app`, `PENSTOCK_APP`, or `[tool.penstock] app` in pyproject.toml."""

import sys
import traceback
from pathlib import Path

import click

from penstock import config
from penstock.app import Penstock
from penstock.cli.ending import Refused
from penstock.cli.exits import WRONG
from penstock.domain.errors import PenstockError


def find_app(context: click.Context) -> Penstock:
    """Import the app. Raises `ConfigurationError` where there is none, `Refused` where it cannot be imported."""
    if "" not in sys.path:
        sys.path.insert(0, "")  # what lies here goes before what is installed, as for `python -m`
    given = context.find_root().obj
    try:
        return config.find_app(Penstock, given, "use --app module:app", Path.cwd())
    except PenstockError:
        raise
    except SystemExit as stop:
        raise Refused([f"{_named(given)} cannot be imported: it ends the program (exit code {stop.code}). What it does"
                       " as a program belongs below `if __name__ == \"__main__\":`"], WRONG) from None
    except Exception as error:
        raise Refused([f"{_named(given)} cannot be imported: {type(error).__name__}: {_first_line(error)}"], WRONG,
                      _theirs(error)) from None


def _named(given: str | None) -> str:
    name, _ = config.app_named(given, Path.cwd())
    return f"app {name!r}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "it does not say why")


def _theirs(error: Exception) -> str:
    """The traceback without the steps that led from us to the app's module, which nobody can do anything about."""
    step = error.__traceback__
    while step is not None and _is_ours(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return "".join(traceback.format_exception(type(error), error, step)).rstrip()


def _is_ours(file: str) -> bool:
    return file in (__file__, config.__file__) or "importlib" in file
