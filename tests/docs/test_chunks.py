"""The page on chunks: its task indexes what is enqueued, and puts off what the service was too busy for."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock import Penstock
from penstock.testing import drain
from tests.clock import Clock

PAGE = Path(__file__).parents[2] / "docs" / "chunks.md"
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def bulk(documents: list[Any]) -> list[Any]:
        asked.append([document.id for document in documents])
        return [SimpleNamespace(ok=document.id != 9, error="busy") for document in documents]

    # By a clock that stands still: by a real one, what was put off may be due again before a slow machine is done.
    monkeypatch.setattr("penstock.Penstock", lambda: Penstock(store_url, now=clock.expression))
    names: dict[str, Any] = {"__name__": "chunks_page", "search": SimpleNamespace(bulk=bulk)}
    exec(compile(CODE, str(PAGE), "exec"), names)
    with names["app"] as app:
        found = drain(app)
        assert (found.completed, found.retryable) == (292, 1)
        assert [len(each) for each in asked] == [100, 100, 93]
        assert asked[0][0] == 7
