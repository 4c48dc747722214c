"""`penstock limits`, over the app that the documentation shows."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Written

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


@pytest.fixture
def penstock(written: Written) -> Command:
    """Runs a command on the documented app, and gives its exit code and what it printed."""
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    return written("limited", example[1])


def test_people_close_and_open_gates_and_see_what_is_used(penstock) -> None:
    assert penstock("limits")[1] == "nothing has been spent of any limit, and every gate is open\n"
    assert penstock("limits", "close", "crm", "--for", "10m", "--reason", "maintenance")[:2] == (
        0, "crm: closed for 10m (maintenance)\n")
    _, out, _ = penstock("limits")
    assert re.fullmatch(r"crm  gate closed for (10 min|9 min \d+ s) more: maintenance \(by .+\)\n", out)
    _, out, _ = penstock("limits", "--json")
    [key] = json.loads(out)["keys"]
    assert (key["key"], key["gate"], key["gate_reason"]) == ("crm", "closed", "maintenance")
    assert penstock("limits", "open", "crm")[1] == "crm: open\n"
    assert penstock("limits", "open", "crm")[1] == "crm: it was open already\n"
    sys.modules["limited"].look_up(7)
    sys.modules["limited"].app.close()
    _, out, _ = penstock("limits")
    assert "10,000 changes a day (Europe/Berlin): " in out
    assert "4 at a time: 0 of 4 used" in out


def test_what_cannot_be_is_refused(penstock) -> None:
    assert penstock("limits", "close", "crm")[0] == 2
    code, _, error = penstock("limits", "close", "crm", "--for", "10x", "--reason", "a")
    assert code == 2
    assert "--for: expected a time such as 90s, 10m, 2h or 1d, got '10x'" in error
