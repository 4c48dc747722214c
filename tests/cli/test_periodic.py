"""`penstock periodic`, over the app that the documentation shows."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Written

PAGE = Path(__file__).parents[2] / "docs" / "periodic.md"


@pytest.fixture
def penstock(written: Written) -> Command:
    """Runs a command on the documented app, and gives its exit code and what it printed."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    return written("reports", example[1])


def test_what_is_declared_is_listed(penstock) -> None:
    code, out, _ = penstock("periodic")
    assert code == 0
    headings, nightly, refresh = out.splitlines()
    assert headings.split() == ["NAME", "SCHEDULE", "NEXT", "LAST", "STATE"]
    date = r"\d{4}-\d\d-\d\d"
    assert re.fullmatch(rf"nightly-report +0 3 \* \* \* Europe/London +{date} 03:00:00\+0[01]:00 +- +on", nightly)
    assert re.fullmatch(r"refresh +every 300 s +\d{4}-\d\d-\d\d \d\d:\d[05]:00\+00:00 +- +on", refresh)


def test_a_pause_is_seen_and_holds_until_it_is_resumed(penstock) -> None:
    assert penstock("periodic", "pause", "refresh") == (0, "refresh is paused\n", "")
    assert penstock("periodic", "pause", "refresh") == (0, "nothing to do: refresh was paused already\n", "")
    found = {each["name"]: each for each in json.loads(penstock("periodic", "--json")[1])["periodic"]}
    assert found["refresh"]["paused_at"] > 1_700_000_000_000
    assert found["refresh"]["next_at"] is None
    assert found["nightly-report"]["paused_at"] is None
    assert found["nightly-report"]["next_at"] % 3_600_000 == 0
    assert "paused" in penstock("periodic")[1]
    assert penstock("periodic", "resume", "refresh") == (0, "refresh goes on\n", "")
    assert penstock("periodic", "resume", "refresh") == (0, "nothing to do: refresh was not paused\n", "")


def test_what_no_app_declares_is_shown_as_such(penstock, tmp_path: Path) -> None:
    penstock("periodic", "pause", "refresh")
    app = (tmp_path / "reports.py").read_text()
    # Of another length, for Python tells by that whether what it compiled within this second is out of date.
    (tmp_path / "reports.py").write_text(app.replace('"refresh", refresh.call()', '"fresh-again", refresh.call()'))
    sys.modules.pop("reports", None)
    _, out, _ = penstock("periodic")
    assert re.search(r"(?m)^refresh +every 300 s +- +- +paused, not declared by this app$", out)
    found = {each["name"]: each for each in json.loads(penstock("periodic", "--json")[1])["periodic"]}
    assert (found["refresh"]["declared"], found["fresh-again"]["declared"]) == (False, True)
    assert penstock("periodic", "resume", "refresh")[1] == "refresh goes on\n"


def test_an_unknown_name_is_refused(penstock) -> None:
    code, out, err = penstock("periodic", "pause", "refrehs")
    assert (code, out) == (2, "")
    assert err == "error: expected the name of a periodic task, got 'refrehs'; did you mean 'refresh'?\n"
