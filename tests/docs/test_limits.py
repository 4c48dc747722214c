"""The page on limits: its app spends in a task, in a block and in an async one."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.engine import Engine

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
(APP,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "limits_page"}
    exec(compile(APP, str(PAGE), "exec"), names)
    with names["app"] as app:
        engine = Engine(app, clock)
        names["remind"].enqueue("acme")
        app.upkeep().step()
        app.dispatcher().step()
        [job] = engine.claim("default")
        assert engine.execute(job).state == "completed"
        names["look_up"](7)
        asyncio.run(names["write_many"]([8, 9]))
        assert names["called"] == ["acme", 7, 8, 9]
        assert {state.key for state in app.limit_states()} == {"crm", f"{names['remind'].name}:acme"}
