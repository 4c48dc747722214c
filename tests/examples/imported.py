"""The examples as an application imports them, which is from a folder that is not on the path."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest


@contextmanager
def imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A program by the name of its file, with its `app` open."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    with module.app:
        yield module
