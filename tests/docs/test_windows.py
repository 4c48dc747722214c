"""The page on windows: its sync is served in one window, and what it says of a subject that is gone is so."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.clock import Clock
from tests.engine import Engine

PAGE = Path(__file__).parents[2] / "docs" / "windows.md"
(APP,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_page_runs(store_url: str, clock: Clock) -> None:
    names: dict[str, Any] = {"__name__": "windows_page"}
    exec(compile(APP.replace("sqlite:///shop.db", store_url), str(PAGE), "exec"), names)
    with names["app"] as app:
        engine = Engine(app, clock)
        engine.sync("shelves", "shelf-1", "shelf-2", account="shop-1")
        assert names["shown"] == {
            "shelf-1/tea": {"price": 3}, "shelf-2/tea": {"price": 3}, "shelf-2/salt": {"price": 1}}
        [window] = app.windows("shelves")
        assert (window.served, window.ended_by) == (2, "nothing more")
        del names["SHELVES"]["shelf-2"]
        engine.sync("shelves", "shelf-2", account="shop-1")
        assert names["shown"] == {"shelf-1/tea": {"price": 3}}


@pytest.mark.parametrize("ended_by", re.findall(r"^\| `([a-z ]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
def test_every_way_to_end_that_it_names_is_one(ended_by: str) -> None:
    code = "".join(path.read_text("utf-8") for path in (PAGE.parents[1] / "src/penstock/sync/window").glob("*.py"))
    sql = (PAGE.parents[1] / "src/penstock/store/sql/windows.sql").read_text("utf-8")
    assert f'"{ended_by}"' in code or f"'{ended_by}'" in sql
