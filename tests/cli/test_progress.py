"""Progress for people: a bar on a terminal, lines elsewhere, and nothing of either on stdout."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from penstock.cli import counting as bars
from penstock.cli.counting import bar, counting, rate
from tests.cli.test_commands import APP
from tests.processes import penstock
from tests.terminals import terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "theapp.py").write_text(APP.format(url="sqlite:///store.db"))
    return tmp_path


def test_on_a_terminal_there_is_a_bar_with_rate_and_time(folder: Path):
    with terminal("--app", "theapp", "sync", "people", folder=folder) as screen:
        screen.until("2/2 4 read (")
        screen.until("/s), 4 changed 0:")
        screen.until("berlin: succeeded, 2 read, 2 created")
        assert screen.wait() == 0
    with terminal("--app", "theapp", "plan", "people", folder=folder) as screen:
        screen.until("Nothing to send.")
        assert screen.wait() == 0


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_without_a_terminal_there_is_none(folder: Path, environment: dict[str, str]):
    with penstock("--app", "theapp", "sync", "people", folder=folder, **environment) as child:
        assert child.rest() == ["berlin: succeeded, 2 read, 2 created", "paris: succeeded, 2 read, 2 created"]
        assert child.wait() == 0


def test_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    now = [100.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    with counting("removed", 3000) as tell:
        tell(500)
        now[0] += bars.LINE_EVERY_SECONDS
        tell(1000)
        tell(1001)
        now[0] += bars.LINE_EVERY_SECONDS
        tell(2000)
    assert capsys.readouterr() == ("", "removed: 1,000 of 3,000\nremoved: 2,000 of 3,000\n")


def test_a_bar_leaves_stdout_to_whoever_it_goes_to(capsys: pytest.CaptureFixture[str]):
    out = io.StringIO()
    with bar(Console(file=out, force_terminal=True, width=100)) as progress:
        progress.add_task("planned", total=2, completed=1, said="1/s")
        print("the answer")
        assert sys.stdout is not out
    assert capsys.readouterr().out == "the answer\n"
    assert "the answer" not in out.getvalue()
    assert "planned" in out.getvalue()
    assert "1/2" in out.getvalue()


def test_a_rate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bars.time, "monotonic", lambda: 102.0)
    assert rate(2400, 100.0, "records") == "1,200 records/s"
    assert rate(0, 102.0, "") == "0/s"
