"""The floors of the house hold, and the contracts that say so notice when they do not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter is not installed; it is part of the test extra")

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(root: Path) -> tuple[int, str]:
    """Check the package under root/src, wherever else a penstock may be installed."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src"), "COLUMNS": "200", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_are_kept():
    code, output = lint(ROOT)
    assert code == 0, output


def planted(tmp_path: Path, module: str, code: str) -> tuple[int, str]:
    """Check a copy of the package in which one module has grown by some code."""
    package = tmp_path / "src" / "penstock"
    shutil.copytree(ROOT / "src" / "penstock", package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{code}\n")
    return lint(tmp_path)


@pytest.mark.parametrize(
    ("module", "code", "complaint"),
    [
        ("domain/__init__.py", "import penstock.app", "not allowed to import penstock.app"),
        ("worker/__init__.py", "import penstock.schedule", "not allowed to import penstock.schedule"),
        ("sync/__init__.py", "import sqlite3", "penstock.sync -> sqlite3"),
        ("queue/planted.py", "from psycopg import rows", "penstock.queue.planted -> psycopg"),
        ("planted.py", "", "penstock.planted"),
    ],
    ids=["upwards", "sideways", "driver-in-sync", "driver-in-queue", "room-on-no-floor"],
)
def test_a_planted_fault_is_found(tmp_path: Path, module: str, code: str, complaint: str):
    status, output = planted(tmp_path, module, code)
    assert status != 0, output
    assert complaint in output


@pytest.mark.parametrize("module", ["store/planted.py", "connectors/planted.py"])
def test_a_driver_may_be_imported_where_drivers_belong(tmp_path: Path, module: str):
    status, output = planted(tmp_path, module, "import psycopg_pool\nimport sqlite3")
    assert status == 0, output
