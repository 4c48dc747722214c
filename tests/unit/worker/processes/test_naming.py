"""A child finds what its parent declared, or somebody is told before a job waits for it."""

import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from penstock.domain.errors import NoWorkerProcess
from penstock.worker.processes.naming import being_imported, imported, module_of


def declared() -> None: ...


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The script that was started, in which `declared` is."""
    found = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", found)
    monkeypatch.setattr(declared, "__module__", "__main__")
    return found


def test_a_module_is_found_by_its_name() -> None:
    assert module_of(declared) == __name__


def test_a_script_is_found_as_a_module_where_one_can_import_it(
        main: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    main.__file__ = str(tmp_path / "reports.py")
    assert module_of(declared) is None
    monkeypatch.syspath_prepend(tmp_path)
    assert module_of(declared) == "reports"
    main.__file__ = str(tmp_path / "my-reports.py")
    assert module_of(declared) is None


def test_a_module_that_was_started_as_one(main: types.ModuleType) -> None:
    main.__spec__ = ModuleSpec("shop.reports", None)
    assert module_of(declared) == "shop.reports"


def test_what_came_from_a_terminal(main: types.ModuleType) -> None:
    assert module_of(declared) is None


def test_a_module_that_starts_a_worker_where_it_is_imported(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "unguarded.py").write_text(f"""
from penstock import Penstock
app = Penstock("sqlite:///{tmp_path / 'jobs.db'}")
with app:
    app.worker({{"default": 1}}).start()
""", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NoWorkerProcess, match="unguarded starts a worker where it is imported.*if __name__ == "):
        imported("unguarded")
    assert being_imported() is None


def test_a_module_that_exits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "exiting.py").write_text("import sys; sys.exit('not here')", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NoWorkerProcess, match="a child process cannot import exiting: SystemExit: not here"):
        imported("exiting")
