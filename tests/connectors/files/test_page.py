"""The page about files: its code runs, and what it says of limits is so."""

import csv
import re
from pathlib import Path
from typing import Any

from penstock.connectors.files.lines import LINE_BYTES

PAGE = (Path(__file__).parents[3] / "docs" / "connectors" / "files.md").read_text("utf-8")


def test_its_code_runs():
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(block, names)
    assert len(names["counted"]) == 5


def test_the_limits_that_it_names():
    assert f"{LINE_BYTES // 1024 ** 2} MiB" in PAGE
    assert f"{csv.field_size_limit():,} characters" in PAGE
