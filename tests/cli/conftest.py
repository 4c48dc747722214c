"""Commands on a program that a test has written, run in this process."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.cli import main
from tests.cli.tree import JSON, hold

Command = Callable[..., tuple[int, str, str]]
"""Runs a command; gives its exit code, and what it printed and complained of."""
LAST_LINE = ("sync", "audit", "demo")
"""Commands that may print other things before their document."""
Written = Callable[[str, str], Command]
"""Writes a module of this name with this text, and gives what runs commands on its app."""


@pytest.fixture
def written(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch,
            capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """The module lies in the folder that commands run in, and is forgotten in the end."""
    names: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PENSTOCK_URL", store_url)

    def write(name: str, text: str) -> Command:
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        names.append(name)

        def command(*arguments: str) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["penstock", "--app", name, *arguments])
            code = 0
            capsys.readouterr()
            try:
                main()
            except SystemExit as stop:
                code = int(stop.code or 0)
            printed = capsys.readouterr()
            if "--json" in arguments and printed.out:
                path = max((each for each in JSON if " ".join(arguments).startswith(each)), key=len)
                hold(path, printed.out.splitlines()[-1] if path in LAST_LINE else printed.out)
            return code, printed.out, printed.err

        return command

    yield write
    for name in names:
        sys.modules.pop(name, None)
