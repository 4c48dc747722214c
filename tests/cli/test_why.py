"""`penstock why` of jobs and subjects, over the app that the page on runs shows."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Written

PAGE = Path(__file__).parents[2] / "docs" / "runs.md"


@pytest.fixture
def why(written: Written) -> Command:
    """Runs a command on the documented app, and gives its exit code and what it printed."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    command = written("teams_app", example[1])

    assert command("migrate")[0] == 0
    return lambda *arguments: command("why", *arguments)


def test_a_subject_is_answered_for_and_then_its_window(why: Command) -> None:
    code, out, _ = why("teams", "red")
    assert (code, out) == (0, "teams red\n  not requested: it was never requested: `penstock sync teams --subject red`"
                              " does\n")
    app = sys.modules["teams_app"].app
    with app:
        sys.modules["teams_app"].Teams.using(reason="edited").request("red", account="acme")
        assert "no worker is alive" in why("teams", "red")[1]
        app.dispatcher().step()
    found = json.loads(why("teams", "red", "--json")[1])
    assert (found["state"], found["waits"]) == ("running", "window")
    assert "nobody serves queue penstock.sync" in found["reason"]
    job = re.search(r"job (\d+)", found["reason"])
    assert job is not None
    code, out, _ = why(job[1])
    assert code == 0
    assert out.splitlines()[0] == f"job {job[1]}: task penstock.window in queue penstock.sync"
    assert "no worker is alive, so nobody serves queue penstock.sync" in out


def test_what_there_is_not_ends_with_1(why: Command) -> None:
    code, out, _ = why("shop.send")
    assert code == 1
    assert "nothing was traced under this name" in out
    code, out, _ = why("4711")
    assert code == 1
    assert "there is no job 4711" in out
    code, out, _ = why("teams", "reed")
    assert code == 1
    assert "subjects() of teams gives no subject 'reed'; did you mean 'red'?" in out


@pytest.mark.parametrize(("arguments", "fault"), [
    (["teams", "red", "People"], "expected JOB, TASK, NAME SUBJECT, or NAME SUBJECT LAYER KEY"),
    (["teams", "red", "--remote"], "--remote and --show-values are about a record"),
    (["team", "red"], "did you mean 'teams'"),
])
def test_what_cannot_be_asked_is_said(why: Command, arguments: list[str], fault: str) -> None:
    code, out, error = why(*arguments)
    assert (code, out) == (2, "")
    assert fault in error
