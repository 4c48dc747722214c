"""However a command ends, it says so in a line or two and with an exit code: nobody reads a traceback of ours."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli import cli, exits
from tests.cli.conftest import Written
from tests.cli.tree import JSON
from tests.terminals import Terminal

PENSTOCK = (sys.executable, "-m", "penstock.cli")
APP = '''
from penstock import Penstock

app = Penstock("sqlite:///here.db")


@app.task(name="mail")
def mail(to: str) -> None: ...
'''
SLOW = """
from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

app = Penstock("sqlite:///here.db")


class People(Layer):
    key = "id"

    def source(self, run):
        for key in range(1_000_000):
            if key == 5_000:
                print("the source is read", flush=True)
            yield {"id": str(key)}
        return Complete(1_000_000)

    def create(self, changes, run):
        return [Done(change.key) for change in changes]

    update = delete = create


@app.sync("people")
class Directory(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("all")
"""
BROKEN = {
    "syntax": ("app = Penstock(\n", "SyntaxError: '(' was never closed (broken.py, line 1)"),
    "raises": ("def load():\n    raise ValueError('no\\nreason')\n\n\nload()\n", "ValueError: no"),
    "lacks": ("import nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
}


def run(folder: Path, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return subprocess.run([*PENSTOCK, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
                          check=False, timeout=60, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(APP)
    return tmp_path


class TestAnAppThatCannotBeImported:
    @pytest.mark.parametrize("how", BROKEN)
    def test_its_own_lines_are_shown_and_none_of_ours(self, how: str, folder: Path):
        text, said = BROKEN[how]
        (folder / "broken.py").write_text(text)
        found = run(folder, "--app", "broken", "queues")
        assert (found.returncode, found.stdout) == (exits.WRONG, "")
        assert found.stderr.splitlines()[-1] == f"error: app 'broken' cannot be imported: {said}"
        assert "broken.py" in found.stderr
        assert "penstock" not in found.stderr.replace(str(folder), "")
        assert "importlib" not in found.stderr

    def test_one_that_ends_the_program_says_so(self, folder: Path):
        (folder / "broken.py").write_text("import sys\nsys.exit(0)\n")
        found = run(folder, "--app", "broken", "queues")
        assert (found.returncode, found.stdout) == (exits.WRONG, "")
        assert "cannot be imported: it ends the program (exit code 0)" in found.stderr

    def test_settings_that_are_wrong_need_no_traceback(self, folder: Path):
        (folder / "broken.py").write_text(APP.replace('.db"', '.db", pool_siz=3'))
        found = run(folder, "--app", "broken", "queues")
        assert (found.returncode, found.stderr) == (
            exits.WRONG, "error: arguments: unknown setting 'pool_siz'; did you mean 'pool_size'?\n")


class TestBrokenOff:
    @pytest.mark.parametrize(("arguments", "shown"), [
        (("runs", "--watch"), "no such runs"), (("enqueue", "mail", "-"), "Ctrl-D ends them")])
    def test_by_ctrl_c(self, arguments: tuple[str, ...], shown: str, folder: Path):
        terminal = Terminal([*PENSTOCK, "--app", "mine", *arguments], folder, {})
        try:
            terminal.until(shown)
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.wait() == exits.INTERRUPTED
            assert "interrupted" in terminal.shown
            assert "Traceback" not in terminal.shown
        finally:
            terminal.close()

    def test_a_sync_says_what_becomes_of_its_runs(self, folder: Path):
        (folder / "mine.py").write_text(SLOW)
        terminal = Terminal([*PENSTOCK, "--app", "mine", "sync", "people"], folder, {})
        try:
            terminal.until("the source is read")
            terminal.process.send_signal(signal.SIGINT)
            terminal.until("the runs are still asked for")
            assert terminal.wait() == exits.INTERRUPTED
            assert "Traceback" not in terminal.shown
        finally:
            terminal.close()

    def test_what_is_typed_is_enqueued_and_no_bar_is_drawn_over_it(self, folder: Path):
        terminal = Terminal([*PENSTOCK, "--app", "mine", "enqueue", "mail", "-"], folder, {})
        try:
            terminal.until("Ctrl-D ends them")
            terminal.press('{"to": "ann"}\n\x04')
            assert terminal.wait() == exits.OK
            assert "1 job of task mail is enqueued" in terminal.shown
            assert "━" not in terminal.shown
        finally:
            terminal.close()

    def test_by_whoever_reads_no_more(self, folder: Path):
        read, write = os.pipe()
        os.close(read)
        try:
            found = subprocess.run([*PENSTOCK, "--app", "mine", "migrate", "--sql", "--json"], cwd=folder, stdout=write,
                                   stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        finally:
            os.close(write)
        assert (found.returncode, found.stderr) == (exits.FAILED, "")


class TestMistyped:
    @pytest.mark.parametrize("arguments", [("queues", "--app", "mine"), ("queues", "--app=mine", "--json"),
                                           ("queues", "pause", "default", "--app", "mine")])
    def test_the_app_is_named_anywhere(self, arguments: tuple[str, ...], folder: Path):
        assert run(folder, *arguments).returncode == exits.OK

    def test_the_app_is_named_at_all(self):
        found = CliRunner().invoke(cli, ["queues", "--app"])
        assert found.exit_code == exits.WRONG
        assert "Option '--app' requires an argument" in found.stderr

    @pytest.mark.parametrize(("arguments", "guess"), [
        (["jobs", "--state", "availabel"], "'available'"), (["traces", "--by", "totl"], "'total'"),
        (["completion", "bsh"], "'bash'")])
    def test_the_nearest_choice_is_guessed(self, arguments: list[str], guess: str):
        found = CliRunner().invoke(cli, arguments)
        assert f"; did you mean {guess}?" in found.stderr

    def test_the_error_stands_first(self):
        found = CliRunner().invoke(cli, ["queues", "--jsn"])
        assert found.stderr.splitlines() == [
            "error: No such option '--jsn'. Did you mean '--json'?",
            "Usage: cli queues [OPTIONS] [COMMAND] [ARGS]...", "`cli queues --help` says more."]


def test_a_question_that_nobody_can_answer_is_not_asked(written: Written):
    penstock = written("mine", APP.replace('"sqlite:///here.db"', ""))
    code, out, err = penstock("jobs", "cancel", "--all-matching", "--state", "pending")
    assert (code, out) == (exits.WRONG, "")
    assert "expected --yes" in err


@pytest.mark.parametrize("path", sorted(set(JSON) - {"init", "demo"}))  # which need no app
def test_an_error_is_no_document(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PENSTOCK_APP", raising=False)
    found = CliRunner().invoke(cli, [*path.split(), "--json"])
    assert (found.exit_code, found.stdout) == (exits.WRONG, "")
    assert found.stderr.startswith("error: ")
