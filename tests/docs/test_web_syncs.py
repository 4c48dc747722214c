"""The page on syncs in the browser: its addresses are those of the site, and its code runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.web.pages import declared
from tests.clock import Clock
from tests.conformance.sync_app import Directory
from tests.engine import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "web-syncs.md").read_text("utf-8")
(ASKED,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ADDRESSES = [found.partition("?")[0] for row in re.findall(r"^\| (`/.*?) \|", PAGE, re.MULTILINE)
             for found in re.findall(r"`(/[^`]+)`", row)]
PREFIXES = ("/syncs", "/runs", "/approvals", "/windows", "/limits", "/why/sent", "/why/waiting/{sync}")


@pytest.fixture
def engine(store_url: str, clock: Clock) -> Iterator[Engine]:
    directory = Directory(groups={"g1": {"p1": "Ada", "p2": "Grace"}})
    with directory.app(store_url, clock.expression) as app:
        yield Engine(app, clock)


def test_its_addresses_are_those_of_the_site() -> None:
    assert len(ADDRESSES) > 10
    paths = {view.path: re.compile(re.sub(r"{\w+(:path)?}", "[^?]+", view.path)) for view in declared().views
             if view.path.startswith(PREFIXES)}
    named = {address: [path for path, pattern in paths.items() if pattern.fullmatch(address)] for address in ADDRESSES}
    assert [address for address, found in named.items() if not found] == []
    assert paths.keys() - {path for found in named.values() for path in found} <= {"/why/sent"}


def test_its_code_runs(engine: Engine) -> None:
    engine.sync("directory", "g1")
    names: dict[str, Any] = {"app": engine.app}
    exec(compile(ASKED, "web-syncs.md", "exec"), names)
    assert names["page"].records == []
    assert names["plan"].changes == 0
    assert names["why"].verdict.would == "skip"
    assert (names["keys"], names["more"], names["gates"]) == ([], None, [])
