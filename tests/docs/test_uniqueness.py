"""The page on uniqueness: what is met is skipped, replaced, or replaced and due when it was."""

import re
from pathlib import Path
from typing import Any

import pytest

from penstock.testing import all_enqueued

PAGE = Path(__file__).parents[2] / "docs" / "uniqueness.md"
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "uniqueness_page"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    with names["app"] as app:
        assert [job.arguments for job in all_enqueued(app)] == [
            {"customer": 7, "reason": "an order"}, {"document": 1, "text": "Penstock"}, {"account": 7, "balance": 30}]
