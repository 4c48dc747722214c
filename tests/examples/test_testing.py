"""The example of tests is run as its readers run it, on each store."""

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "testing"
ELSEWHERE = """

from penstock.testing import clear


@pytest.fixture
def penstock_url():
    return {url!r}


@pytest.fixture
def penstock_app(penstock_app):
    clear(penstock_app)
    return penstock_app
"""


def test_its_tests_pass(store_url: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PENSTOCK_APP", raising=False)
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True)
    if not store_url.startswith("sqlite:"):
        with (pytester.path / "conftest.py").open("a") as file:
            file.write(ELSEWHERE.format(url=store_url))
    result = pytester.runpytest_subprocess("-p", "no:penstock", "-p", "penstock.testing.plugin", "-W", "error")
    result.assert_outcomes(passed=(EXAMPLE / "test_shop.py").read_text("utf-8").count("\ndef test_"))
