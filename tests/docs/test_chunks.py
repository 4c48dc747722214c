"""The page on chunks: its task indexes what is enqueued, and puts off what the service was too busy for."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.testing import drain
from tests.clock import Clock

PAGE = Path(__file__).parents[2] / "docs" / "chunks.md"
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def bulk(documents: list[Any]) -> list[Any]:
        asked.append([document.id for document in documents])
        return [SimpleNamespace(ok=document.id != 9, error="busy") for document in documents]

    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "chunks_page", "search": SimpleNamespace(bulk=bulk)}
    exec(compile(CODE, str(PAGE), "exec"), names)
    with names["app"] as app:
        found = drain(app)
        assert (found.completed, found.retryable) == (292, 1)
        assert [len(each) for each in asked] == [100, 100, 93]
        assert asked[0][0] == 7
