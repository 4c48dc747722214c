"""Where the app is: as given, else as the environment says, else as pyproject.toml does."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.config import find_app
from penstock.domain.errors import ConfigurationError

HOW = "say so"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with an app of our own kind, which is no module that anybody else has."""
    monkeypatch.delenv("PENSTOCK_APP", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "found_here.py").write_text("app = 1\nother = 2\nname = 'one'\n")
    (tmp_path / "needs_more.py").write_text("import found_nowhere\n")
    yield tmp_path
    for name in ("found_here", "needs_more"):
        sys.modules.pop(name, None)


def declare(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


def test_the_first_that_says_it_is_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(folder, '[tool.penstock]\napp = "found_here"')
    assert find_app(int, None, HOW, folder) == 1
    monkeypatch.setenv("PENSTOCK_APP", "found_here:other")
    assert find_app(int, None, HOW, folder) == 2
    assert find_app(int, "found_here:app", HOW, folder) == 1


def test_a_module_that_can_be_imported_leaves_the_path_as_it_is(folder: Path) -> None:
    before = [*sys.path]
    assert find_app(str, "string:digits", HOW, folder) == "0123456789"
    assert sys.path == before


@pytest.mark.parametrize(("given", "message"), [
    (None, "expected an app, got none: say so, set PENSTOCK_APP, or write"),
    ("found_nowhere", "app 'found_nowhere': no module 'found_nowhere' is installed or in"),
    ("found_here.within", "app 'found_here.within': no module 'found_here.within' is installed or in"),
    ("found_here:name", "expected a int at 'name', got str; found_here has app, other"),
])
def test_what_is_missing_is_said(folder: Path, given: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        find_app(int, given, HOW, folder)


def test_what_the_app_itself_misses_is_its_own_error(folder: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="found_nowhere"):
        find_app(int, "needs_more", HOW, folder)


@pytest.mark.parametrize("text", ["[tool.penstock", "[tool]\npenstock = 1"])
def test_a_file_that_cannot_be_read_is_a_fault_of_the_configuration(folder: Path, text: str) -> None:
    declare(folder, text)
    with pytest.raises(ConfigurationError, match="pyproject.toml: "):
        find_app(int, None, HOW, folder)
