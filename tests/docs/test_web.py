"""The page on the dashboard: its code runs, and what it names is there."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette

from penstock import Penstock
from penstock.app.replica import Reading
from penstock.web import metrics
from penstock.web.declared import SCOPES
from penstock.web.site import for_this_machine
from tests.web.conftest import browser

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text("utf-8")
(MOUNTED,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(MOUNTED, "web.md", "exec"), names)
    application = names["application"]
    assert isinstance(application, Starlette)
    with browser(application, "https://shop.example.com") as client:
        assert client.get("/ops/jobs/").url.path == "/ops/jobs/sign-in"
    names["jobs"].close()  # type: ignore[attr-defined]


def test_it_names_every_scope_and_every_number(app: Penstock):
    assert [scope for scope in SCOPES if f"| `{scope}` |" not in PAGE] == []
    with browser(for_this_machine(app)) as client:
        text = client.get("/metrics").text + metrics.text(app.overview(), Reading(reads=True, behind_ms=0.0))
        told = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    assert set(re.findall(r"`(penstock_\w+)`", PAGE)) == told


def test_the_addresses_that_it_names_are_there(app: Penstock):
    with browser(for_this_machine(app)) as client:
        for path in ("/healthz", "/readyz", "/metrics", "/journal", "/api/v1/openapi.json"):
            assert f"`{path}`" in PAGE
            assert client.get(path).status_code == 200
