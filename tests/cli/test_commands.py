"""Commands as people type them: what they print, and how they end."""

import json
import sys
from pathlib import Path

import pytest

from penstock.cli import main

APP = '''
from dataclasses import dataclass
from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

app = Penstock({url!r})
people = {{"a": "Ada", "b": "Blaise", "c": None}}


@dataclass
class Person:
    id: str
    name: str


class People(Layer[Person]):
    key = "id"

    def source(self, run):
        yield from [Person(key, name) for key, name in people.items() if name]
        return Complete(2)

    def render(self, person, run):
        return {{"name": person.name}}

    def create(self, changes, run):
        return [Done("r" + change.key) for change in changes]

    update = delete = create


@app.sync("people")
class Directory(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("berlin", account="acme")
        yield Subject("paris", account="acme")
'''


@pytest.fixture
def folder(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an app in it, and nothing imported or set from other tests."""
    (tmp_path / "theapp.py").write_text(APP.format(url=store_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("PENSTOCK_APP", "PENSTOCK_URL"):
        monkeypatch.delenv(name, raising=False)
    sys.modules.pop("theapp", None)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of `penstock …`."""
    monkeypatch.setattr(sys, "argv", ["penstock", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def penstock(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(monkeypatch, *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def test_plan_then_sync_then_nothing_to_do(penstock) -> None:
    assert penstock("--app", "theapp:app", "migrate")[0] == 0
    code, out, _ = penstock("--app", "theapp", "plan", "people", "--subject", "berlin")
    code, out, _ = penstock("--app", "theapp", "plan", "people", "--subject", "berlin")
    assert code == 0
    assert out == ("berlin:\n  People: 2 to create, 0 to update, 0 to delete, 0 unchanged\n    + a\n    + b\n"
                   "2 changes in at least 1 call; no earlier run tells how long it takes\n")
    code, out, _ = penstock("--app", "theapp", "sync", "people")
    assert (code, out) == (0, "berlin: succeeded, 2 read, 2 created\nparis: succeeded, 2 read, 2 created\n")
    code, out, _ = penstock("--app", "theapp", "sync", "people", "--json")
    runs = json.loads(out.splitlines()[-1])["runs"]
    assert [(run["subject"], run["skipped"], run["write_calls"]) for run in runs] == [("berlin", 2, 0), ("paris", 2, 0)]
    code, out, _ = penstock("--app", "theapp", "plan", "people", "--json")
    layers = json.loads(out)["subjects"][0]["layers"]
    assert layers[0]["counts"] == {"create": 0, "update": 0, "delete": 0, "skip": 2, "blocked": 0, "failed": 0}


def test_migrate_says_what_it_made_and_then_that_there_is_nothing_to_do(penstock) -> None:
    code, text, _ = penstock("--app", "theapp", "migrate", "--sql")
    assert code == 0
    assert "create table penstock" in text
    code, out, _ = penstock("--app", "theapp", "migrate")
    assert (code, out) == (0, "made layer state_people__people\n")
    assert penstock("--app", "theapp", "migrate")[1] == "nothing to do: the store is up to date\n"
    assert penstock("--app", "theapp", "migrate", "--sql")[1] == ""


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["plan", "people"], 2, "expected an app, got none: use --app module:app, set PENSTOCK_APP"),
    (["--app", "nowhere:app", "plan", "people"], 2, "no module 'nowhere'"),
    (["--app", "theapp:people", "plan", "people"], 2, "expected a Penstock at 'people', got dict; theapp has app"),
    (["--app", "theapp", "sync", "peopel"], 2, "did you mean 'people'?"),
    (["--app", "theapp", "sync", "people", "--subject", "rome"], 1, "gives no subject 'rome'"),
    (["--app", "theapp", "worker", "--queue", "Mail!=2"], 2, "expected a queue name of 1 to 64"),
    (["--app", "theapp", "worker", "--queue", "mail=none"], 2, "expected NAME=SLOTS with at least 1 slot"),
    (["worker", "--max-runtime", "500", "--headroom", "500"], 2, "headroom: expected less than max-runtime"),
    (["worker", "--max-runtime", "0"], 2, "max-runtime: expected more than 0 seconds"),
    (["worker", "--headroom", "100"], 2, "expected max-runtime beside it"),
    (["worker", "--grace", "-1"], 2, "grace: expected more than 0 seconds"),
])
def test_what_is_wrong_is_said_with_what_to_do(penstock, arguments: list[str], code: int, message: str) -> None:
    penstock("--app", "theapp", "migrate")
    sys.modules.pop("theapp", None)
    ended, out, err = penstock(*arguments)
    assert (ended, out) == (code, "")
    assert err.startswith("error: ")
    assert message in err


def test_a_command_that_is_misspelt_is_guessed(penstock) -> None:
    code, _, err = penstock("wroker")
    assert code == 2
    assert "Did you mean 'worker'?" in err


def test_the_app_is_found_in_pyproject(penstock, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.penstock]\napp = "theapp:app"\n')
    assert penstock("migrate")[0] == 0


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)  # a SQLite store migrates itself
def test_a_store_that_was_not_migrated_names_the_command(penstock) -> None:
    code, _, err = penstock("--app", "theapp", "sync", "people")
    assert code == 1
    assert "the store lacks layer state_people__people: run `penstock migrate`" in err
