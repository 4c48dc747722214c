"""The page on testing: its program, its fixtures and its tests are run, each on the stores that they are about."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
SHOP, APP_PATH, *TESTS, ON_POSTGRES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"),
                                                 re.DOTALL | re.MULTILINE)
MESSAGE = re.findall(r"^```text\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)[0]
FAILING = """
import shop
from penstock.testing import assert_enqueued

def test_it(penstock_app):
    shop.remind.enqueue(8, "ada@example.com")
    assert_enqueued(penstock_app, shop.remind, 7)
"""


def write(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, conftest: str) -> None:
    monkeypatch.delenv("PENSTOCK_APP", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the plugins of others take half of the time
    pytester.makepyfile(shop=SHOP)
    pytester.makeconftest(conftest)
    for number, test in enumerate(TESTS):
        pytester.makepyfile(**{f"test_{number}": f"from datetime import timedelta\n\n{test}"})


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "penstock.testing.plugin", "-W", "error")


def test_what_it_says_is_so_on_sqlite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    write(pytester, monkeypatch, APP_PATH)
    pytester.makepyfile(test_failing=FAILING)
    result = run(pytester)
    result.assert_outcomes(passed="".join(TESTS).count("\ndef test_"), failed=1)
    result.stdout.no_fnmatch_line("*enqueued.py:*")  # the failure is shown where the test asked
    for line in MESSAGE.splitlines():
        assert line.strip() in result.stdout.str()


def test_what_it_says_is_so_on_postgresql(postgres_url: str, pytester: pytest.Pytester,
                                          monkeypatch: pytest.MonkeyPatch):
    write(pytester, monkeypatch, APP_PATH + ON_POSTGRES.replace("postgresql://localhost/shop_test", postgres_url))
    run(pytester).assert_outcomes(passed="".join(TESTS).count("\ndef test_"))
