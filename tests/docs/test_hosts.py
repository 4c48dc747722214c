"""The page on hosts: its code runs, and its figures are those of the code."""

import re
from pathlib import Path

import pytest

from penstock import Window
from penstock.config import Settings
from penstock.worker.timebox import TimeBox, given_up_at

PAGE = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text("utf-8")


def test_the_code_runs(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                       capsys: pytest.CaptureFixture[str]):
    pieces = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    code = "\n".join(pieces).replace('Penstock("sqlite:///shop.db")', f"Penstock({store_url!r})")
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(code, "docs/hosts.md", "exec"), names)
    names["app"].close()  # type: ignore[attr-defined]
    assert capsys.readouterr().out == "1 0 None\n"


def test_the_figures():
    box = TimeBox.of(Window(500, 100), now=0.0)
    assert (box.begin_until, box.until, given_up_at(box.until, box.ends_at)) == (400, 490, 498)
    assert "| 0 to 400 |" in PAGE
    assert "| from 490 on |" in PAGE
    assert "| 498 at the latest |" in PAGE
    assert f"`grace_seconds` ({Settings().grace_seconds:g})" in PAGE
