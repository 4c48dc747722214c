"""The page on batches: what waits runs after what it waits for, and each callback once."""

import re
from pathlib import Path
from typing import Any

import pytest

from penstock.testing import drain

PAGE = Path(__file__).parents[2] / "docs" / "batches.md"
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PENSTOCK_URL", store_url)
    names: dict[str, Any] = {"__name__": "batches_page"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    with names["app"] as app:
        assert drain(app).completed == 13
        assert capsys.readouterr().out == "3 of 3 completed\n"
