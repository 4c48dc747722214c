"""The page on events: its code listens. That it lists every kind, test_everything_is_said.py looks after."""

import re
from pathlib import Path
from typing import Any

import pytest

from penstock.testing import drain
from tests.clock import Clock

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "events_page"}
    exec(compile(CODE, "events.md", "exec"), names)
    with names["app"] as app:
        app.migrate()

        @app.task(name="note")
        def note(fail: bool) -> None:
            if fail:
                raise ValueError("of the body")

        app.enqueue_many([note.call(False), note.call(False), note.call(True)])
        drain(app, raising=False)
        assert names["completed"] == {"note": 2}
        assert [type(event).__name__ for event in names["told"]] == ["JobFailed", "JobFailed"]
