"""The floors of the house hold, and the contracts that say so notice when they do not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
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


def planted(tmp_path: Path, code: Mapping[str, str]) -> tuple[int, str]:
    """Check a copy of the package in which some modules have grown by some code."""
    package = tmp_path / "src" / "penstock"
    shutil.copytree(ROOT / "src" / "penstock", package, ignore=shutil.ignore_patterns("__pycache__", "*.sql"))
    for module, grown in code.items():
        with (package / module).open("a", encoding="utf-8") as file:
            file.write(f"\n{grown}\n")
    return lint(tmp_path)


def test_planted_faults_are_found(tmp_path: Path):
    """Each of them, however many there are."""
    faults = {
        "upwards": ("domain/__init__.py", "import penstock.app", "penstock.domain -> penstock.app ("),
        "sideways": ("worker/__init__.py", "import penstock.schedule", "penstock.worker -> penstock.schedule ("),
        "a driver in sync": ("sync/__init__.py", "import sqlite3", "penstock.sync -> sqlite3 ("),
        "a driver in queue": ("queue/planted.py", "from psycopg import rows", "penstock.queue.planted -> psycopg ("),
    }
    status, output = planted(tmp_path, {module: code for module, code, _ in faults.values()})
    assert status != 0, output
    assert [what for what, (_, _, complaint) in faults.items() if complaint not in output] == [], output


def test_a_room_on_no_floor_is_found(tmp_path: Path):
    status, output = planted(tmp_path, {"planted.py": ""})
    assert status != 0, output
    assert "penstock.planted" in output


def test_a_driver_may_be_imported_where_drivers_belong(tmp_path: Path):
    drivers = "import psycopg_pool\nimport sqlite3"
    status, output = planted(tmp_path, {"store/planted.py": drivers, "connectors/planted.py": drivers})
    assert status == 0, output
