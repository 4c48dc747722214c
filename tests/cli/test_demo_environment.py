"""The demo's server where the extra is not installed: a private environment, made once and never left half made."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from penstock.cli.demo import environment


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's cache, on a machine where the extra `demo` is not installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    return tmp_path / "cache" / "penstock"


class Commands:
    """Stands in for `venv` and `pip`, which need a network: makes a Python that has scim2-server, or fails."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.pip: Callable[[Path], int] = self.install

    def __call__(self, command: list[str | Path], **options: Any) -> "subprocess.CompletedProcess[str]":
        if "venv" in command:
            self.ran.append("venv")
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir()
            python.write_text("#!/bin/sh\nexit 1\n")
            python.chmod(0o755)
        elif "pip" in command:
            self.ran.append(str(command[-1]))
            return subprocess.CompletedProcess(command, self.pip(Path(command[0])), "", "no network")
        else:
            return subprocess.CompletedProcess(command, int("exit 0" not in Path(command[0]).read_text()), "", "")
        return subprocess.CompletedProcess(command, 0, "", "")

    def install(self, python: Path) -> int:
        python.write_text("#!/bin/sh\nexit 0\n")
        return 0


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(environment.subprocess, "run", commands)
    return commands


def test_where_the_server_is_missing_it_is_installed_once(elsewhere: Path, commands: Commands):
    said: list[str] = []
    python = Path(environment.interpreter(said.append))
    assert python.is_relative_to(elsewhere)
    assert commands.ran == ["venv", "scim2-server==0.8.3"]
    assert str(python.parents[1]) in said[0]
    assert "pip install 'penstock[demo]'" in said[0]
    assert Path(environment.interpreter(said.append)) == python
    assert commands.ran == ["venv", "scim2-server==0.8.3"]
    assert len(said) == 1
    assert [path.name for path in elsewhere.iterdir()] == [python.parents[1].name]


def test_an_environment_whose_making_was_interrupted_is_made_anew(elsewhere: Path, commands: Commands):
    def interrupted(python: Path) -> int:
        raise KeyboardInterrupt

    commands.pip = interrupted
    with pytest.raises(KeyboardInterrupt):
        environment.interpreter(print)
    assert list(elsewhere.iterdir()) == []
    name = f"scim2-server-0.8.3-py{sys.version_info.major}.{sys.version_info.minor}"
    (elsewhere / name / "bin").mkdir(parents=True)  # and one that was killed, in the days before it was renamed last
    commands.pip = commands.install
    assert Path(environment.interpreter(print)).read_text().endswith("exit 0\n")


def test_an_installation_that_fails_names_the_other_way(elsewhere: Path, commands: Commands):
    commands.pip = lambda python: 1
    with pytest.raises(click.ClickException, match=r"no network\nInstall it beside Penstock instead: pip install"):
        environment.interpreter(print)
    assert list(elsewhere.iterdir()) == []
