"""`penstock failed` and `penstock retry`, as people type them."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import run

APP = '''
from dataclasses import dataclass
from pathlib import Path
from penstock import Penstock
from penstock.sync import Complete, Done, Layer, Rejected, Subject, Sync

app = Penstock({url!r})


@dataclass
class Person:
    id: str
    name: str


class People(Layer[Person]):
    key = "id"

    def source(self, run):
        yield from [Person("p1", "Ada"), Person("p2", "Blaise Pascal"), Person("p3", "Charles Babbage")]
        return Complete(3)

    def render(self, person, run):
        return {{"name": person.name}}

    def create(self, changes, run):
        most = int(Path("most").read_text())
        return [Done("r" + change.key) if len(change.payload["name"]) <= most else
                Rejected("too_long", f"{{change.payload['name']!r}} is longer than {{most}}") for change in changes]

    update = delete = create


@app.sync("people")
class Directory(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("berlin", account="acme")
'''


@pytest.fixture
def penstock(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str]) -> Any:
    (tmp_path / "failing.py").write_text(APP.format(url=store_url))
    (tmp_path / "most").write_text("5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PENSTOCK_APP", "failing:app")
    monkeypatch.delenv("PENSTOCK_URL", raising=False)
    sys.modules.pop("failing", None)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run(monkeypatch, *arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    command("migrate")
    return command


def test_failed_lists_classes_and_retry_sends_one_again(penstock: Any, tmp_path: Path) -> None:
    assert penstock("failed", "people") == (0, "no record failed, is blocked or in doubt\n", "")
    assert penstock("sync", "people")[:2] == (1, "berlin: succeeded, 3 read, 1 created, 2 failed\n")
    code, out, _ = penstock("failed", "people")
    first, second = out.splitlines()
    name = first.split(":")[0]
    assert (code, first) == (0, f"{name}: 2 records of People failed: 'Charles Babbage' is longer than 5")
    assert name.startswith("too_long-")
    assert "; again at " in second
    assert second.endswith(": p2, p3")
    [described] = json.loads(penstock("failed", "people", "--subject", "berlin", "--json")[1])["classes"]
    assert (described["name"], described["count"], described["keys"]) == (name, 2, ["p2", "p3"])

    code, out, err = penstock("failed", "people", "--most", "1")
    assert (code, out.splitlines()[0]) == (0, f"{name}: 1 record of People failed: 'Blaise Pascal' is longer than 5")
    assert err == ("only the first 1 were looked at, and there are more: --most 10 looks further\n")
    some = json.loads(penstock("failed", "people", "--most", "1", "--json")[1])
    assert (some["counted"], some["more"]) == (1, True)

    assert penstock("sync", "people")[:2] == (1, "berlin: succeeded, 3 read, 2 failed\n")  # not due: nothing is sent
    (tmp_path / "most").write_text("99")
    assert penstock("retry", "people", "--layer", "People", "--key", "p3")[:2] == (
        0, "1 record of People is due now; 1 run is requested: berlin\n")
    assert penstock("sync", "people")[:2] == (1, "berlin: succeeded, 3 read, 1 created, 1 failed\n")
    assert penstock("retry", "people", "--class", name)[0] == 0
    assert penstock("sync", "people")[:2] == (0, "berlin: succeeded, 3 read, 1 created\n")
    assert penstock("failed", "people", "--json")[1] == '{"sync":"people","classes":[],"counted":0,"more":false}\n'


@pytest.mark.parametrize(("arguments", "message"), [
    (["people"], "expected --class, --layer or --subject, got none of them"),
    (["people", "--key", "p2"], "expected --layer beside it"),
    (["people", "--class", "too_log"], "no record of class 'too_log' of people failed"),
    (["people", "--layer", "Peple"], "did you mean 'People'?"),
    (["peple", "--layer", "People"], "did you mean 'people'?"),
])
def test_what_is_wrong_is_said_with_what_to_do(penstock: Any, arguments: list[str], message: str) -> None:
    code, out, err = penstock("retry", *arguments)
    assert (code, out) == (2, "")
    assert message in err
