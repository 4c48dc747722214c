"""`penstock runs`, over the app that the documentation shows."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Written
from tests.waiting import until

PAGE = Path(__file__).parents[2] / "docs" / "runs.md"


@pytest.fixture
def penstock(written: Written) -> Command:
    """Runs a command on the documented app, and gives its exit code and what it printed."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    command = written("teams_app", example[1])

    command("migrate")
    return command


def served(*subjects: str) -> None:
    """Have the documented app, which a command has imported, serve requests."""
    app = sys.modules["teams_app"].app
    for subject in subjects:
        sys.modules["teams_app"].Teams.using(reason="edited").request(subject, account="acme")
    with app:
        worker = app.worker()
        worker.start()
        try:
            until("the runs have succeeded", lambda: len(app.runs("teams", status="succeeded")) == len(subjects))
        finally:
            worker.stop()
        app.upkeep().step()


def test_runs_are_listed_with_why_they_were_and_what_they_changed(penstock: Command) -> None:
    assert penstock("runs") == (0, "no such runs\n", "")
    served("red", "blue")
    code, out, _ = penstock("runs", "teams")
    assert code == 0
    headings, *rows = out.splitlines()
    assert headings.split() == ["RUN", "SYNC", "SUBJECT", "ACCOUNT", "STATUS", "WHY", "REQUESTED", "WAITED", "TOOK",
                                "CHANGES", "ERROR"]
    moment, lasting = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"\d+\.\d s"
    red = next(row for row in rows if "red" in row)
    assert re.fullmatch(rf"\d+ +teams +red +acme +succeeded +edited +{moment} +{lasting} +{lasting} +\+2", red)
    assert penstock("runs", "teams", "blue")[1].count("blue") == 1
    assert penstock("runs", "teams", "--status", "failed")[1] == "no such runs\n"
    first = json.loads(penstock("runs", "--limit", "1", "--json")[1])["runs"]
    rest = json.loads(penstock("runs", "--before", str(first[0]["id"]), "--json")[1])["runs"]
    assert {run["subject"] for run in first + rest} == {"red", "blue"}


def test_statistics_are_listed(penstock: Command) -> None:
    assert penstock("runs", "teams", "--stats")[1].startswith("no run has finished")
    served("red", "blue")
    headings, *rows = penstock("runs", "teams", "--stats")[1].splitlines()
    assert headings.startswith("NAME")
    assert {row.split()[0] for row in rows} == {"red", "blue"}
    (whole,) = json.loads(penstock("runs", "teams", "--stats", "--by", "sync", "--json")[1])["statistics"]
    assert (whole["runs"], whole["created"]) == (2, 3)


def test_windows_are_listed(penstock: Command) -> None:
    assert penstock("runs", "teams", "--windows")[1] == "no windows\n"
    served("red")
    headings, row = penstock("runs", "teams", "--windows")[1].splitlines()
    assert headings.split()[:2] == ["WINDOW", "ACCOUNT"]
    assert re.match(r"\d+ +acme +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +1 +0 +0 +0", row)
    (window,) = json.loads(penstock("runs", "teams", "--windows", "--json")[1])["windows"]
    assert window["served"] == 1


@pytest.mark.parametrize(("arguments", "fault"), [
    (["--windows"], "expected the name of a sync"),
    (["teams", "red", "--windows"], "expected no subject"),
    (["--stats"], "expected the name of a sync"),
    (["teams", "--stats", "--before", "3"], "expected no --status and no --before"),
    (["teams", "--by", "sync"], "expected --stats beside it"),
    (["team"], "did you mean 'teams'"),
])
def test_what_cannot_be_asked_is_said(penstock: Command, arguments: list[str], fault: str) -> None:
    code, out, error = penstock("runs", *arguments)
    assert (code, out) == (2, "")
    assert fault in error


def pending(*subjects: str) -> list[int]:
    """Runs that wait, for subjects in this order; nobody serves them."""
    app = sys.modules["teams_app"].app
    for subject in subjects:
        sys.modules["teams_app"].Teams.using(reason="edited").request(subject, account="acme")
    with app:
        app.pause(sync="teams")
        app.dispatcher().step()
        found = {run.subject: run.id for run in app.runs("teams", status="pending")}
    return [found[subject] for subject in subjects]


def test_runs_are_cancelled(penstock: Command) -> None:
    red, blue = pending("red", "blue")
    assert penstock("runs", "cancel", str(red), "--reason", "by mistake") == (0, f"run {red} is cancelled\n", "")
    (run,) = json.loads(penstock("runs", "teams", "red", "--json")[1])["runs"]
    assert (run["status"], run["error"]) == ("cancelled", "by mistake")
    code, out, err = penstock("runs", "cancel", str(red), str(blue), "12345", "--json")
    assert (code, json.loads(out)) == (1, {
        "changed": True, "says": f"run {blue} is cancelled, runs {red}, 12345 refused it", "cancelled": [blue],
        "asked": [], "refused": [red, 12345]})
    assert "`penstock runs` lists them" in err


def test_one_that_is_served_is_asked_to_end(penstock: Command) -> None:
    (red,) = pending("red")
    app = sys.modules["teams_app"].app
    with app:
        table = "penstock_sync_runs" if app.store.dialect == "sqlite" else "penstock.sync_runs"
        app.store.write(lambda tx: tx.script(f"update {table} set status = 'running' where id = {red}"))
    assert penstock("runs", "cancel", str(red)) == (0, f"run {red} is asked to end\n", "")
    assert penstock("runs", "cancel", str(red))[0] == 1


def test_a_run_that_waits_is_raised(penstock: Command) -> None:
    (red,) = pending("red")
    code, out, err = penstock("runs", "raise", str(red), "--priority", "7")
    assert (code, out, err) == (0, f"run {red} goes with a priority of 7 or more\n", "")
    with sys.modules["teams_app"].app as app:
        app.dispatcher().step()
        assert [run.priority for run in app.runs("teams")] == [7]
    penstock("runs", "cancel", str(red))
    code, out, err = penstock("runs", "raise", str(red), "--priority", "8")
    assert (code, out) == (1, "")
    assert f"run {red} does not wait: it is cancelled" in err
    assert "run 12345 is not there" in penstock("runs", "raise", "12345", "--priority", "8")[2]
    assert penstock("runs", "raise", str(red))[0] == 2


def test_what_follows_runs_is_a_sync_unless_it_is_a_command(penstock: Command) -> None:
    assert penstock("runs", "teams", "red", "--status", "failed") == (0, "no such runs\n", "")
    assert penstock("runs", "--status", "failed", "teams") == (0, "no such runs\n", "")
    code, _, err = penstock("runs", "--", "cancel")
    assert code == 2
    assert "this app declares no sync 'cancel'" in err
    assert "unexpected extra argument" in penstock("runs", "teams", "red", "blue")[2]
    assert "Usage: penstock runs COMMAND" in penstock("runs", "--help")[1]
