"""`penstock why`, `penstock state` and the options of `penstock sync`, as people type them."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.cli.state import patiently
from penstock.domain.errors import RunAtWork
from tests.cli.test_commands import run

APP = '''
from dataclasses import dataclass
from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Subject, Sync

app = Penstock({url!r})
people = {{"a": "Ada", "b": "Blaise"}}


@dataclass
class Person:
    id: str
    team: str
    name: str


class People(Layer[Person]):
    key, match = ("team", "id"), "name"

    def source(self, run):
        yield from [Person(key, run.subject.key, name) for key, name in people.items()]
        return Complete(len(people))

    def render(self, person, run):
        return {{"name": person.name}}

    def create(self, changes, run):
        print("sent", ", ".join(change.key for change in changes))
        return [Done(change.remote_id or "r" + change.key) for change in changes]

    update = delete = create


class Teams(Layer[Person]):
    scope, key = "account", "id"
    source = None

    def source(self, run):
        yield Person(run.subject.key, "", "")
        return Complete(1)

    create = update = delete = People.create


@app.sync("people")
class Directory(Sync):
    layers = [People, Teams]

    def subjects(self):
        yield Subject("berlin", account="acme")
        yield Subject("paris", account="acme")
'''


@pytest.fixture
def penstock(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command; its exit code, and what it printed."""
    (tmp_path / "byhand.py").write_text(APP.format(url=store_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PENSTOCK_APP", "byhand")
    sys.modules.pop("byhand", None)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(monkeypatch, *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    assert command("migrate")[0] == 0
    return command


def test_why_says_it_in_about_ten_lines(penstock: Any):
    assert penstock("sync", "people")[0] == 0
    code, out, _ = penstock("why", "people", "berlin", "People", "berlin,a")
    lines = out.splitlines()
    assert (code, lines[0]) == (0, 'people berlin People ["berlin","a"]')
    assert lines[1] == "  next run:     skip: what is rendered now is what was sent"
    assert lines[3] == "  match:        by name"
    assert 'state:        synced, remote id r["berlin","a"], digest ' in lines[5]
    assert " by run " in lines[6]
    assert "of berlin (succeeded, ended " in lines[6]
    assert "Ada" not in out
    assert len(lines) <= 12
    code, out, _ = penstock("why", "people", "berlin", "People", '["berlin", "a"]', "--show-values")
    assert '{"name":"Ada"}' in out
    told = json.loads(penstock("why", "people", "berlin", "People", "berlin,z", "--json")[1])
    assert (told["source"]["present"], told["verdict"]["would"], told["state"]) == (False, "none", None)
    told = json.loads(penstock("why", "people", "berlin", "People", "berlin,a", "--json")[1])
    assert (told["payload"], told["match"], told["state"]["status"]) == (["name"], None, "synced")
    assert penstock("why", "people", "berlin", "Teams", "berlin", "--json")[0] == 0


def test_sync_takes_options(penstock: Any):
    assert penstock("sync", "people")[0] == 0
    code, out, _ = penstock("sync", "people", "--subject", "berlin", "--only", "People:berlin,b", "--full")
    assert code == 0
    assert 'sent ["berlin","b"]\n' in out
    assert "berlin: succeeded, 2 read, 1 updated" in out
    code, out, _ = penstock("sync", "people", "--subject", "paris", "--full", "--only", "People")
    assert "paris: succeeded, 2 read, 2 updated" in out


def test_state_is_shown_in_pages(penstock: Any):
    assert penstock("state", "show", "people")[1] == "no rows\n"
    penstock("sync", "people")
    code, out, _ = penstock("state", "show", "people", "--layer", "People", "--limit", "3")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 5)
    assert lines[0].split("\t")[:4] == ["LAYER", "SCOPE", "KEY", "STATUS"]
    assert lines[4] == """there is more: --after '["People","paris","[\\"paris\\",\\"a\\"]"]'"""
    after = lines[4].removeprefix("there is more: --after '").removesuffix("'")
    rest = json.loads(penstock("state", "show", "people", "--after", after, "--json")[1])
    assert [(row["layer"], row["key"]) for row in rest["rows"]] == [
        ("People", '["paris","b"]'), ("Teams", "berlin"), ("Teams", "paris")]
    assert rest["after"] is None
    first = json.loads(penstock("state", "show", "people", "--limit", "1", "--subject", "paris", "--json")[1])
    assert first["after"] == ["People", "paris", '["paris","a"]']
    shared = json.loads(penstock("state", "show", "people", "--account", "acme", "--limit", "0", "--json")[1])
    assert {row["layer"] for row in shared["rows"]} == {"Teams"}
    assert json.loads(penstock("state", "show", "people", "--status", "failed", "--json")[1]) == {
        "rows": [], "after": None}


def test_state_is_changed_by_hand(penstock: Any, monkeypatch: pytest.MonkeyPatch):
    penstock("sync", "people")
    code, out, _ = penstock("state", "move", "people", "People", "berlin,a", "--to-key", "berlin,c")
    assert code == 0
    assert out == ('People ["berlin","a"] of berlin is ["berlin","c"] of berlin now; remote id r["berlin","a"]\n')
    code, out, _ = penstock("state", "adopt", "people", "People", "berlin,a", "r77", "--subject", "berlin")
    assert (code, out) == (0, 'People ["berlin","a"] of berlin is r77; the next run updates it\n')
    code, _, err = penstock("state", "adopt", "people", "Teams", "paris", "rberlin")
    assert code == 1
    assert "Teams 'berlin' of account acme holds the remote id 'rberlin'" in err
    code, _, err = penstock("state", "forget", "people", "People", "berlin,c")
    assert (code, "expected --yes, since there is no terminal to ask on" in err) == (2, True)
    terminal = io.StringIO("n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    with monkeypatch.context() as asking:
        asking.setattr(sys, "stdin", terminal)
        code, out, err = penstock("state", "forget", "people", "People", "berlin,c")
    assert (code, "error: nothing was done" in err) == (1, True)
    assert 'People ["berlin","c"] of berlin: synced' in out
    code, out, _ = penstock("state", "forget", "people", "People", "berlin,c", "berlin,a", "--yes")
    assert code == 0
    assert "forgotten; what the source still has is created anew by the next run" in out
    rows = json.loads(penstock("state", "show", "people", "--subject", "berlin", "--layer", "People", "--json")[1])
    assert [row["key"] for row in rows["rows"]] == ['["berlin","b"]']
    assert "2 read, 1 created" in penstock("sync", "people", "--subject", "berlin", "--only", "People")[1]


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["why", "people", "berlin", "Peopel", "a"], 2, "expected one of its layers, People, Teams, got 'Peopel'"),
    (["why", "people", "berlin", "People", "a"], 2, "expected the 2 values of team, id, as a JSON array or"),
    (["why", "people", "rome", "People", "a,b"], 1, "gives no subject 'rome'"),
    (["sync", "people", "--only", "Team"], 2, "did you mean 'Teams'?"),
    (["sync", "people", "--only", "People:a"], 2, "expected the 2 values of team, id"),
    (["sync", "people", "--only", "Teams:"], 2, "Teams: expected a key, got nothing"),
    (["state", "move", "people", "Teams", "berlin"], 2, "expected --to-key or --to-scope, got neither"),
    (["state", "forget", "people", "Teams", "rome", "--yes"], 1, "the state of Teams has no 'rome': look at"),
    (["state", "forget", "people", "People", "a,b", "--account", "acme", "--yes"], 2, "expected --subject"),
    (["state", "show", "people", "--after", "People"], 2, "--after: expected [layer, scope, key]"),
])
def test_what_is_wrong_is_said_with_what_to_do(penstock: Any, arguments: list[str], code: int, message: str):
    ended, _, err = penstock(*arguments)
    assert ended == code
    assert message in err


def test_a_change_waits_for_a_window_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch):
    time = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time[0], sleep=lambda seconds: time.__setitem__(0, time[0] + seconds))
    monkeypatch.setattr("penstock.cli.state.time", clock)
    tried: list[float] = []

    def change() -> None:
        tried.append(time[0])
        if time[0] < 1.0:
            raise RunAtWork("run 1 is at work")

    with pytest.raises(RunAtWork):
        patiently(0.0, change)
    assert tried == [0.0]
    patiently(5.0, change)
    assert 1.0 <= time[0] < 1.1


def test_what_a_subject_that_is_gone_claims_is_let_go(penstock: Any, tmp_path: Path):
    penstock("sync", "people")
    assert penstock("state", "unclaim", "people")[1] == "nobody who is gone claims anything\n"
    code, _, err = penstock("state", "unclaim", "people", "paris", "--yes")
    assert code != 0
    assert "expected a subject that is gone, got 'paris'" in err
    (tmp_path / "byhand.py").write_text((tmp_path / "byhand.py").read_text().replace('"paris"', '"rome"'))
    sys.modules.pop("byhand")
    assert penstock("state", "unclaim", "people")[1] == "paris: claims 1 of Teams, 1 of them alone\n"
    code, out, _ = penstock("state", "unclaim", "people", "paris", "--yes")
    assert (code, out.splitlines()[-1]) == (
        0, "let go; what nobody else claims is deleted as the account's subjects are read")
    assert penstock("state", "unclaim", "people")[1] == "nobody who is gone claims anything\n"
