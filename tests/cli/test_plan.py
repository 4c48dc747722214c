"""What `penstock plan` tells before anything is sent."""

import json
from pathlib import Path

import pytest

from tests.processes import penstock

APP = '''
import json, pathlib
from penstock import Penstock, Quota, Rate
from penstock.sync import Complete, Done, Layer, Subject, Sync

app = Penstock("sqlite:///store.db")

class People(Layer[dict]):
    key, batch_size = "id", 2

    def source(self, run):
        people = json.loads(pathlib.Path("people.json").read_text())
        yield from people
        return Complete(len(people))

    def render(self, person, run):
        return {name: value for name, value in person.items() if name != "id"}

    def create(self, changes, run):
        return [Done(change.key) for change in changes]

    update = delete = create

@app.sync("people", limits=[Rate(1, per="second"), Quota(100, per="day", by="token", unit="call")])
class PeopleSync(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("all", account="acme")
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "people_app.py").write_text(APP)
    put(tmp_path, *({"id": str(number), "name": f"name {number}"} for number in range(5)))
    return tmp_path


def put(folder: Path, *people: dict[str, str]) -> None:
    (folder / "people.json").write_text(json.dumps(people))


def said(folder: Path, *arguments: str) -> list[str]:
    with penstock("--app", "people_app", *arguments, folder=folder) as command:
        lines = command.rest()
        assert command.wait() == 0, lines
    return lines


def test_it_names_fields_and_costs_and_hides_values(folder: Path):
    lines = said(folder, "plan", "people")
    assert lines[-3:] == ["5 changes in at least 3 calls; no earlier run tells how long it takes",
                          "  Rate(1 changes per second, by default): 5 permits, given in 4 s at the earliest",
                          "  Quota(100 calls per day, by token): 3 permits"]
    said(folder, "sync", "people")
    put(folder, {"id": "0", "name": "another"}, {"id": "1", "name": "name 1", "phone": "1"},
        {"id": "2", "name": "Ada", "phone": "2"}, {"id": "3", "name": "name 3"}, {"id": "9", "name": "new"})
    lines = said(folder, "plan", "people")
    assert lines[:11] == [
        "all:", "  People: 1 to create, 3 to update, 1 to delete, 1 unchanged",
        "    name: changed in 2", "    phone: new in 2",
        "    + 9", "    ~ 0 (name)", "    ~ 1 (phone)", "    ~ 2 (name, phone)", "    - 4",
        "5 changes in at least 4 calls; about 4 s",
        "  Rate(1 changes per second, by default): 5 permits, given in 4 s at the earliest",
    ]
    assert "Ada" not in "".join(lines)
    assert '        {"name":"Ada","phone":"2"}' in said(folder, "plan", "people", "--show-values")


def test_as_json(folder: Path):
    [line] = said(folder, "plan", "people", "--json")
    found = json.loads(line)
    assert found["cost"]["calls"] == 3
    assert found["cost"]["permits"][0] == {
        "limit": "Rate(1 changes per second, by default)", "needed": 5, "seconds": 4.0}
    [layer] = found["subjects"][0]["layers"]
    assert layer["first"]["create"][0] == {"key": "0"}
