"""The page on what is slow: its commands are run on a store that has what they ask for, and its patterns are all."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from penstock import Penstock
from penstock.cli import main
from penstock.observe.patterns import PATTERNS, RULES
from tests.conformance.traces.keeping import Traced

PAGE = Path(__file__).parents[2] / "docs" / "slow.md"
TEXT = PAGE.read_text("utf-8")
APP = '''
from penstock import Penstock
from penstock.connectors import Console
from penstock.sync import Layer, Subject, Sync

app = Penstock({url!r})


class People(Layer):
    key, destination = "name", Console()

    def source(self, run):
        return []

    def render(self, person, run):
        return {{}}


@app.sync("directory")
class Directory(Sync):
    layers = [People]

    def subjects(self):
        yield Subject("doors-7", account="acme")
'''


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # the commands' own tests are on both
def test_the_commands_of_the_page_run(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page_app.py").write_text(APP.format(url=store_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with Penstock(store_url) as app:
        app.migrate()
        traced = Traced(app.store)
        with traced.trace("nightly-calculation", took_us=5_000_000) as trace:
            trace.flame = {"main;calculate": 3}
        traced.recorder.close()
    block = re.search(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert block is not None
    commands = [line.partition(" #")[0].partition(" >")[0] for line in block[1].splitlines()]
    assert len(commands) >= 9
    for command in commands:
        _, *arguments = shlex.split(command)
        monkeypatch.setattr(sys, "argv", ["penstock", "--app", "page_app", *arguments])
        monkeypatch.delitem(sys.modules, "page_app", raising=False)
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code, command
        printed = capsys.readouterr()
        assert printed.err == "", command
        assert printed.out.strip(), command


def test_every_pattern_has_a_row_and_a_rule() -> None:
    assert tuple(re.findall(r"^\| `([a-z0-9+ ]+)` \|", TEXT, re.MULTILINE)) == PATTERNS
    assert [rule.__name__ for rule in RULES] == [  # type: ignore[attr-defined]
        kind.replace("n+1", "n_plus_one").replace(" ", "_") for kind in PATTERNS]
