"""What `penstock plan` tells before anything is sent, and what `penstock sync --plan` makes of its file."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import run
from tests.processes import penstock as process
from tests.processes import python

APP = '''
import json, pathlib
from penstock import Penstock, Quota, Rate
from penstock.sync import Complete, Done, Layer, Subject, Sync

app = Penstock("sqlite:///store.db")
there = pathlib.Path("there.json")

class People(Layer[dict]):
    key, batch_size = "id", 2

    def source(self, run):
        people = json.loads(pathlib.Path("people.json").read_text())
        yield from people
        return Complete(len(people))

    def render(self, person, run):
        return {name: value for name, value in person.items() if name != "id"}

    def create(self, changes, run):
        held = json.loads(there.read_text()) if there.exists() else {}
        held.update({change.key: change.payload for change in changes})
        there.write_text(json.dumps(held))
        return [Done(change.key) for change in changes]

    update = create

    def delete(self, changes, run):
        held = json.loads(there.read_text())
        there.write_text(json.dumps({key: held[key] for key in held.keys() - {change.key for change in changes}}))
        return [Done() for change in changes]

    def find(self, keys, run):
        return {key: key for key in keys if key in json.loads(there.read_text())}

    def fetch(self, remote_ids, run):
        held = json.loads(there.read_text())
        return {remote_id: held.get(remote_id) for remote_id in remote_ids}

@app.sync("people", limits=[Rate(1000, per="second"), Quota(100, per="day", by="token", unit="call")])
class PeopleSync(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("all", account="acme")
'''
SLOWLY = APP.replace("Rate(1000, ", "Rate(1, ")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "people_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PENSTOCK_APP", "people_app")
    sys.modules.pop("people_app", None)
    put(tmp_path, *({"id": str(number), "name": f"name {number}"} for number in range(5)))
    return tmp_path


@pytest.fixture
def penstock(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(monkeypatch, *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def said(penstock: Command) -> Callable[..., list[str]]:
    """The lines of a command that went well."""
    def lines(*arguments: str) -> list[str]:
        code, out, err = penstock(*arguments)
        assert code == 0, err
        return out.splitlines()

    return lines


def put(folder: Path, *people: dict[str, str]) -> None:
    (folder / "people.json").write_text(json.dumps(people))


def limited(folder: Path) -> None:
    """Have the app that the next command finds be one that changes one record a second."""
    (folder / "people_app.py").write_text(SLOWLY)
    sys.modules.pop("people_app", None)


def change(folder: Path) -> None:
    """A create, three updates and a delete."""
    put(folder, {"id": "0", "name": "another"}, {"id": "1", "name": "name 1", "phone": "1"},
        {"id": "2", "name": "Ada", "phone": "2"}, {"id": "3", "name": "name 3"}, {"id": "9", "name": "new"})


def there(folder: Path) -> dict[str, dict[str, str]]:
    """What the destination holds."""
    return dict(json.loads((folder / "there.json").read_text()))


def test_it_says_what_it_costs_before_anything_ever_ran(folder: Path, said: Any):
    limited(folder)
    lines = said("plan", "people")
    assert lines[-3:] == ["5 changes in at least 3 calls; no earlier run tells how long it takes",
                          "  1 changes per second: 5 permits, given in 4 s at the earliest",
                          "  100 calls a day, by token: 3 permits"]


def test_it_names_fields_and_costs_and_hides_values(folder: Path, said: Any):
    said("sync", "people")
    change(folder)
    limited(folder)
    lines = said("plan", "people")
    assert lines[:11] == [
        "all:", "  People: 1 to create, 3 to update, 1 to delete, 1 unchanged",
        "    name: changed in 2", "    phone: new in 2",
        "    + 9", "    ~ 0 (name)", "    ~ 1 (phone)", "    ~ 2 (name, phone)", "    - 4",
        "5 changes in at least 4 calls; about 4 s",
        "  1 changes per second: 5 permits, given in 4 s at the earliest",
    ]
    assert "Ada" not in "".join(lines)
    assert '        {"name":"Ada","phone":"2"}' in said("plan", "people", "--show-values")


def test_as_json_it_names_every_change(folder: Path, said: Any):
    limited(folder)
    put(folder, *({"id": str(number), "name": f"name {number}"} for number in range(7)))
    lines = said("plan", "people", "--json")
    found = json.loads("\n".join(lines))
    assert (found["format"], found["version"], found["sync"]) == ("penstock plan", 1, "people")
    assert found["cost"]["calls"] == 4
    assert found["cost"]["permits"][0] == {
        "limit": "1 changes per second", "needed": 7, "seconds": 6.0}
    [layer] = found["subjects"][0]["layers"]
    assert (layer["layer"], len(layer["declared"]), layer["withheld"]) == ("People", 32, None)
    assert layer["first"]["create"] == [{"key": str(number)} for number in range(5)]
    assert [(each["kind"], each["key"], len(each["digest"])) for each in layer["changes"]] == [
        ("create", str(number), 32) for number in range(7)]
    assert "name 0" not in "".join(lines)
    assert len(lines) > 7  # a line each, for whoever compares two of them


def test_the_file_is_what_json_prints_and_is_there_whole_or_not_at_all(folder: Path, penstock: Command, said: Any):
    assert said("plan", "people", "--out", "p.json", "--show-values")[0] == "all:"
    written, printed = (json.loads(text) for text in (
        (folder / "p.json").read_text(), "\n".join(said("plan", "people", "--json", "--show-values"))))
    assert written | {"made_at": 0} == printed | {"made_at": 0}
    assert written["subjects"][0]["layers"][0]["changes"][0]["payload"] == {"name": "name 0"}
    (folder / "people.json").write_text("no JSON")
    with pytest.raises(ValueError, match="Expecting value"):
        penstock("plan", "people", "--out", "p.json")
    assert json.loads((folder / "p.json").read_text()) == written
    assert [path.name for path in folder.glob(".p.json*")] == []
    assert "nowhere/p.json: the plan cannot be written: No such file" in penstock(
        "plan", "people", "--out", "nowhere/p.json")[2]


def test_only_the_plan_is_applied_and_what_moved_is_said(folder: Path, penstock: Command, said: Any):
    said("sync", "people")
    change(folder)
    said("plan", "people", "--out", "p.json")
    put(folder, {"id": "0", "name": "another"}, {"id": "1", "name": "name 1", "phone": "1"},
        {"id": "2", "name": "Eve"}, {"id": "3", "name": "later"}, {"id": "9", "name": "new"})
    before = there(folder)
    code, out, err = penstock("sync", "people", "--plan", "p.json")
    assert (code, out, err) == (3, (
        "all: succeeded, 5 read, 1 created, 2 updated, 1 deleted: 1 of 5 changes moved since the plan was made: People"
        " 2 is to be updated otherwise now; 1 new changes not in the plan left for a later run\n"), "")
    assert there(folder) == {"0": {"name": "another"}, "1": {"name": "name 1", "phone": "1"}, "2": before["2"],
                             "3": before["3"], "9": {"name": "new"}}
    said("sync", "people")
    said("plan", "people", "--out", "p.json")
    assert said("sync", "people", "--plan", "p.json") == ["all: succeeded, 5 read, nothing to change"]


@pytest.mark.parametrize(("arguments", "edit", "code", "fault"), [
    ([], lambda text: "# a note", 1, "p.json is not a plan that can be applied: expected '{' at character 1, got '# a"
                                     " note'; nothing was requested. Use `penstock plan people --out p.json`"),
    ([], None, 1, "p.json: expected a plan's file, as `penstock plan people --out p.json` writes it, got: No such"),
    ([], lambda text: text.replace('"subject":"all"', '"subject":"some"'), 1,
     "p.json: subjects() of people gives no subject 'some' any more; nothing was requested. Plan again"),
    ([], lambda text: text.replace('"acme"', '"other"'), 1, "of the account other, as it was planned, got acme"),
    (["--subject", "some"], lambda text: text, 1, "expected one of the subjects of this plan, all, got some"),
    (["--full"], lambda text: text, 2, "--plan says exactly what is to be done"),
], ids=["no plan", "no file", "subject", "account", "other subject", "full"])
def test_what_cannot_be_applied_is_refused_before_anything_is_requested(
        folder: Path, penstock: Command, said: Any, arguments: list[str], edit: Any, code: int, fault: str):
    said("plan", "people", "--out", "p.json")
    file = folder / "p.json"
    if edit is None:
        file.unlink()
    else:
        file.write_text(edit(file.read_text()))
    got, _, err = penstock("sync", "people", "--plan", "p.json", *arguments)
    assert got == code
    assert fault in err
    assert not (folder / "there.json").exists()


def test_deletes_that_would_be_withheld_are_told(folder: Path, said: Any):
    put(folder, *({"id": f"{number:02}", "name": "name"} for number in range(40)))
    said("sync", "people")
    put(folder, *({"id": f"{number:02}", "name": "name"} for number in range(12, 40)))
    why = "People: 12 deletes of 40 rows of this run, more than 20 %"
    assert (f"    ! 12 deletes would be withheld ({why}); `penstock approve people` releases them once a run has"
            " asked") in said("plan", "people")
    [layer] = json.loads("\n".join(said("plan", "people", "--json")))["subjects"][0]["layers"]
    assert layer["withheld"] == {"records": 12, "reason": why, "decided": 0}
    assert said("approve", "people") == ["nothing is withheld of people"]  # to plan asks nobody


def test_what_the_destination_holds_is_read_back_if_asked_for(folder: Path, said: Any):
    said("sync", "people")
    change(folder)
    by_hand = there(folder)
    by_hand |= {"2": {"name": "by hand", "phone": "2"}, "9": {"name": "there before"}}
    del by_hand["0"]
    (folder / "there.json").write_text(json.dumps(by_hand))
    lines = said("plan", "people", "--read-back", "3", "--show-values")
    assert lines[4:16] == [
        "    + 9", '        {"name":"new"}', "        already there: 9", '        name: "there before" → "new"',
        "    ~ 0 (name)", '        {"name":"another"}', "        not there any more",
        "    ~ 1 (phone)", '        {"name":"name 1","phone":"1"}', '        phone: nothing → "1"',
        "    ~ 2 (name, phone)", '        {"name":"Ada","phone":"2"}']
    assert lines[16:19] == ['        name: "by hand" → "Ada"', "    - 4", '        it holds {"name":"name 4"}']
    text = "\n".join(said("plan", "people", "--read-back", "3"))
    assert "        other than what would be sent: name\n" in text
    assert "by hand" not in text
    [layer] = json.loads("\n".join(said("plan", "people", "--read-back", "1", "--json")))["subjects"][0]["layers"]
    assert layer["first"]["create"][0]["destination"] == {
        "is_there": True, "found": ["9"], "held": ["name"], "differs": ["name"], "error": None}
    assert "destination" not in layer["first"]["update"][1]  # of the first alone, as was asked
    (folder / "there.json").write_text("broken")
    assert any("it could not be read back: JSONDecodeError" in line
               for line in said("plan", "people", "--read-back", "1"))


READ = '''
    def read(self, run):
        for remote_id, held in json.loads(there.read_text()).items():
            yield remote_id, remote_id, held

    def fetch('''


def test_what_is_found_there_at_the_first_contact_is_planned_anew_and_then_adopted(
        folder: Path, penstock: Command, said: Any):
    """A plan that was made before is for creating records: that they are there already was not known."""
    (folder / "people_app.py").write_text(APP.replace("\n    def fetch(", READ))
    (folder / "there.json").write_text(json.dumps({"0": {"name": "name 0"}, "1": {"name": "another"}}))
    note = "    ! the destination is read before anything is sent: what it holds already is adopted, not created"
    assert note in said("plan", "people", "--out", "p.json")
    code, out, _ = penstock("sync", "people", "--plan", "p.json")
    assert (code, out) == (3, (
        "all: succeeded, 5 read, 3 created: 2 of 5 changes moved since the plan was made: People 1 is to be adopted"
        " now, not created; People 0 is to be adopted now, not created\n"))
    assert there(folder)["1"] == {"name": "another"}
    lines = said("plan", "people", "--out", "p.json")
    assert lines[1:3] == ["  People: 0 to create, 1 to update, 0 to delete, 4 unchanged", "    ~ 1 (adopts 1)"]
    assert note not in lines
    assert said("sync", "people", "--plan", "p.json") == ["all: succeeded, 5 read, 1 updated"]
    assert there(folder)["1"] == {"name": "name 1"}


REQUESTS = '''
import people_app, rich.console, sys
from pathlib import Path
from penstock.cli.planned import planned
from penstock.cli.progress import RunProgress
from penstock.cli.sync import request
app = people_app.app
with planned(app, app.definition("people"), Path("p.json"), ()) as (subjects, options):
    request(app, "people", subjects, "test", options)
    [run] = RunProgress(app.store, "people", ["all"], rich.console.Console()).follow()
    print(run.status, run.created, run.error)
'''


def test_the_worker_of_another_process_applies_it(folder: Path, said: Any):
    said("plan", "people", "--out", "p.json")
    put(folder, {"id": "0", "name": "name 0"}, {"id": "1", "name": "another"})
    with process("worker", folder=folder, PENSTOCK_APP="people_app") as worker:
        with python(REQUESTS, folder=folder) as requester:
            requester.line("succeeded 1 4 of 5 changes moved since the plan was made: People 1 is to be created"
                           " otherwise now")
            assert requester.wait() == 0
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
