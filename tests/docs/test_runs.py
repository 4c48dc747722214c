"""The page on runs: its app is served, and what the page asks of it is answered."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.engine import Engine

PAGE = Path(__file__).parents[2] / "docs" / "runs.md"
APP, TOLD, ASKED = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch,
                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "teams_page"}
    exec(compile(APP, str(PAGE), "exec"), names)
    with names["app"] as app:
        engine = Engine(app, clock)
        engine.sync("teams", "red", "blue")
        capsys.readouterr()
        app.upkeep().step()
        exec(compile(ASKED, str(PAGE), "exec"), names)
        name, runs, failures, *_ = capsys.readouterr().out.split()
        assert (name, runs, failures) == ("acme", "2", "0")
        assert {each.name: each.created for each in names["slowest"]} == {"red": 2, "blue": 1}
        assert names["failing"] == []
        exec(compile(TOLD, str(PAGE), "exec"), names)
        assert capsys.readouterr().out == "People 2 2 0 1\n"
