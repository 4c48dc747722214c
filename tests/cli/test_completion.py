"""What a shell completes: commands, options, and names of the app."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from penstock.cli import cli, completing
from penstock.cli.commands import LISTED
from tests.cli.conftest import Written
from tests.cli.test_commands import APP
from tests.terminals import Terminal

MORE = '''

@app.task(name="send-mail", queue="mail")
def send(to: str) -> None: ...

app.periodic("hourly", send.call("all"), every=__import__("datetime").timedelta(hours=1))
print("said on import")
'''

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Completes the last of some words, for the app of a folder."""
    (tmp_path / "completed.py").write_text(APP.format(url="sqlite:///never.db") + MORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("PENSTOCK_URL", raising=False)
    monkeypatch.setenv("PENSTOCK_APP", "completed")
    monkeypatch.setattr(completing, "_PATIENCE_SECONDS", 120.0)  # nobody waits here

    def words(*words: str) -> list[str]:
        sys.modules.pop("completed", None)
        found = ShellComplete(cli, {}, "penstock", "_PENSTOCK_COMPLETE").get_completions(list(words[:-1]), words[-1])
        return [item.value for item in found]

    yield words
    sys.modules.pop("completed", None)
    assert not (tmp_path / "never.db").exists(), "to complete a name is no reason to open the store"


@pytest.mark.parametrize(("words", "expected"), [
    (["pl"], ["plan"]), (["plan", "--sub"], ["--subject"]), (["queues", "p"], ["pause"]),
    (["plan", ""], ["people"]), (["sync", "pe"], ["people"]), (["runs", "x"], []),
    (["why", ""], ["people", "send-mail"]), (["why", "people", ""], []), (["advise", "send"], ["send-mail"]),
    (["queues", "pause", ""], ["mail", "penstock.sync"]), (["worker", "--queue", "ma"], ["mail"]),
    (["queues", "pause", "--sync", ""], ["people"]), (["periodic", "resume", ""], ["hourly"]),
    (["enqueue", "se"], ["send-mail"]), (["jobs", "--task", ""], ["send-mail"]),
    (["jobs", "retry", "--queue", "m"], ["mail"]),
    (["state", "forget", "people", ""], ["People"]), (["retry", "people", "--layer", "P"], ["People"]),
    (["retry", "--layer", ""], ["People"]), (["queues", "pause", "--app", "completed", "m"], ["mail"]),
    (["runs", "--status", "pen"], ["pending"]), (["completion", "z"], ["zsh"]),
])
def test_what_is_completed(complete: Complete, capsys: pytest.CaptureFixture[str], words: list[str],
                           expected: list[str]):
    assert complete(*words) == expected
    assert capsys.readouterr() == ("", "")


def test_commands_are_completed_with_what_they_do(complete: Complete):
    found = ShellComplete(cli, {}, "penstock", "_PENSTOCK_COMPLETE").get_completions([], "")
    assert {item.value: item.help for item in found if item.value in LISTED} == {
        name: listed.says for name, listed in LISTED.items()}


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "import nothing_of_that_name", "app = None"])
def test_an_app_that_cannot_be_imported_completes_nothing(complete: Complete, text: str,
                                                          capsys: pytest.CaptureFixture[str]):
    Path("completed.py").write_text(text)
    assert complete("plan", "") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str, tmp_path: Path):
    found = CliRunner().invoke(cli, ["completion", shell])
    assert found.exit_code == 0
    assert f"_PENSTOCK_COMPLETE={shell}_complete" in found.stdout
    if (program := shutil.which(shell)) is not None:
        (tmp_path / "script").write_text(found.stdout)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True, timeout=60)


class TestAShellThatHasTheScript:
    """The shells themselves, with the program that is installed beside this Python."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        (tmp_path / "completed.py").write_text(APP.format(url="sqlite:///never.db") + MORE)
        return {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])), "HOME": str(tmp_path),
                "PENSTOCK_APP": "completed"}

    @pytest.mark.parametrize(("words", "expected"), [
        (["queues", "pau"], ["pause"]), (["plan", "--rea"], ["--read-back"]), (["enqueue", ""], ["send-mail"])])
    def test_bash(self, words: list[str], expected: list[str], environment: dict[str, str], tmp_path: Path):
        program = _shell("bash")
        typed = " ".join(map(shlex.quote, ["penstock", *words]))
        script = (f'eval "$(penstock completion bash)"; COMP_WORDS=({typed}); COMP_CWORD={len(words)};'
                  ' _penstock_completion penstock; printf "%s\\n" "${COMPREPLY[@]}"')
        assert _said([program, "-c", script], environment, tmp_path) == expected

    @pytest.mark.parametrize(("typed", "expected"), [
        ("queues pau", ["pause\tHold back a QUEUE, a sync, an account or a..."]),
        ("enqueue ", ["send-mail"])])
    def test_fish(self, typed: str, expected: list[str], environment: dict[str, str], tmp_path: Path):
        program = _shell("fish")
        script = f'penstock completion fish | source; complete -C "penstock {typed}"'
        assert _said([program, "-c", script], environment, tmp_path) == expected

    @pytest.mark.parametrize(("typed", "expected"), [
        ("queues pau", "queues pause"), ("enqueue se", "enqueue send-mail")])
    def test_zsh(self, typed: str, expected: str, environment: dict[str, str], tmp_path: Path):
        terminal = Terminal([_shell("zsh"), "-f", "-i"], tmp_path, {**environment, "PS1": "> "})
        try:
            terminal.press('autoload -Uz compinit; compinit -u -D; eval "$(penstock completion zsh)"; print rea""dy\n')
            terminal.until("ready")
            terminal.press(f"penstock {typed}\t")
            terminal.until(expected[len(typed):])
        finally:
            terminal.close()


def _shell(name: str) -> str:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    if not (Path(sys.executable).parent / "penstock").exists():
        pytest.skip("penstock is not installed beside this Python")
    return program


def _said(command: list[str], environment: dict[str, str], folder: Path) -> list[str]:
    found = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True,
                           timeout=120)
    assert found.stderr == ""
    return found.stdout.splitlines()


def test_a_shell_that_is_not_known_is_named():
    found = CliRunner().invoke(cli, ["completion", "tcsh"])
    assert (found.exit_code, found.stdout) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in found.stderr


@pytest.mark.parametrize(("arguments", "said"), [
    (["queues", "pause", "mial"], "note: this app has no queue 'mial'; did you mean 'mail'?"),
    (["enqueue", "sendmail"], "this app declares no task 'sendmail'; did you mean 'send-mail'?"),
    (["traces", "peopel"], "note: nothing is called 'peopel'; did you mean 'people'?"),
    (["jobs", "--task", "send-mial"], "note: this app has no task 'send-mial'; did you mean 'send-mail'?"),
    (["runs", "peopel"], "error: this app declares no sync 'peopel'; did you mean 'people'?"),
    (["periodic", "pause", "hourli"], "did you mean 'hourly'?"),
    (["queues", "pause", "elsewhere"], ""), (["traces", "nightly-report"], ""),
    (["traces", "people"], ""), (["queues", "pause", "mail"], ""),
])
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_name_that_is_mistyped_is_guessed(written: Written, arguments: list[str], said: str):
    penstock = written("named", APP.format(url="sqlite:///named.db") + MORE)
    _, _, err = penstock(*arguments)
    assert said in err
    assert ("did you mean" in err) == bool(said)


def test_where_no_name_is_near_those_are_named_that_there_are(written: Written):
    penstock = written("completed", APP.format(url="sqlite:///never.db").replace('"sqlite:///never.db"', "") + MORE)
    code, _, err = penstock("queues", "pause", "elsewhere")
    assert (code, err) == (0, "note: this app has no queue 'elsewhere'; it has mail, penstock.sync\n")
    assert penstock("queues", "resume", "elsewhere")[0] == 0
    sys.modules["completed"].app.close()
