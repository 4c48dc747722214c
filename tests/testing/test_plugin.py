"""The fixtures for pytest, in a project as users have one."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
SHOP = """
from penstock import Penstock

app = Penstock("sqlite:////no/such/folder/shop.db")
sent = []

@app.task(queue="mail")
def remind(offer: int) -> int:
    sent.append(offer)
    return offer
"""
TESTS = """
from datetime import timedelta

import pytest
from penstock.testing import Drained, assert_enqueued, drain, refute_enqueued
import shop


@pytest.mark.parametrize("round", [1, 2])
def test_each_test_has_a_store_of_its_own(penstock_app, round, tmp_path):
    assert penstock_app is shop.app
    refute_enqueued(penstock_app, shop.remind)
    shop.remind.enqueue(7)
    assert_enqueued(penstock_app, shop.remind, 7, queue="mail", count=1)
    assert str(tmp_path) in penstock_app.settings.url


def test_time_stands_still(penstock_app, penstock_clock):
    shop.remind.using(run_after=timedelta(days=1)).enqueue(8)
    assert drain(penstock_app) == Drained()
    penstock_clock.advance(timedelta(days=1))
    assert drain(penstock_app) == Drained(completed=1)


def test_jobs_run_at_once(penstock_inline):
    assert shop.remind.enqueue(9).returned == 9
    assert [job.id for job in penstock_inline.jobs] == [1]


def test_the_app_has_its_own_store_afterwards():
    assert shop.app.settings.url == "sqlite:////no/such/folder/shop.db"
    assert shop.app.settings.now is None
    assert shop.sent == [8, 9]
"""
GIVEN = "def test_it(penstock_app):\n    assert 'remind' in str(penstock_app.tasks)\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PENSTOCK_APP", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the plugins of others take half of the time
    pytester.makepyfile(shop=SHOP)
    return pytester


def run(project: pytest.Pytester) -> Any:
    """In a process of its own, or what is imported meanwhile would be there twice in this one."""
    return project.runpytest_subprocess("-p", "penstock.testing.plugin", "-W", "error")


def test_a_project_tests_its_app(project: pytest.Pytester):
    project.makepyprojecttoml('[tool.penstock]\napp = "shop:app"')
    project.makepyfile(TESTS)
    run(project).assert_outcomes(passed=5)


def test_the_environment_names_the_app(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENSTOCK_APP", "shop")
    project.makepyfile(GIVEN)
    run(project).assert_outcomes(passed=1)


def test_a_conftest_names_the_app_and_its_store(project: pytest.Pytester, postgres_url: str):
    project.makeconftest(f"""
        import pytest

        @pytest.fixture(scope="session")
        def penstock_app_path():
            return "shop:app"

        @pytest.fixture
        def penstock_url():
            return {postgres_url!r}
    """)
    project.makepyfile("""
        from datetime import timedelta
        from penstock.testing import drain
        import shop

        def test_it(penstock_app, penstock_clock):
            assert penstock_app.store.dialect == "postgres"
            shop.remind.using(run_after=timedelta(days=1)).enqueue(7)
            penstock_clock.advance(timedelta(days=1))
            assert drain(penstock_app).completed == 1
    """)
    run(project).assert_outcomes(passed=1)


NOWHERE = [
    (None, "*expected an app, got none: override the fixture penstock_app_path*"),
    ("shop:ap", "*app 'shop:ap': expected a Penstock at 'ap', got NoneType; shop has app*"),
    ("shpo:app", "*app 'shpo:app': no module 'shpo' is installed or in *"),
    ("broken:app", "*No module named 'not_installed'*"),
]


def test_an_app_that_is_not_there_is_an_error(project: pytest.Pytester):
    project.makepyfile(broken="import not_installed")
    for number, (path, _) in enumerate(NOWHERE):
        project.makepyfile(**{f"test_{number}": f"""
            import pytest

            @pytest.fixture(scope="session")
            def penstock_app_path():
                return {path!r}

            def test_it(penstock_app): ...
        """})
    result = run(project)
    result.assert_outcomes(errors=len(NOWHERE))
    result.stdout.fnmatch_lines([complaint for _, complaint in NOWHERE])


def test_it_loads_by_itself(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    points = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["entry-points"]["pytest11"]
    metadata = project.mkdir("installed") / "shopping-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shopping\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[pytest11]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(metadata.parent), os.environ.get("PYTHONPATH", "")]))
    project.makepyprojecttoml('[tool.penstock]\napp = "shop:app"')
    project.makepyfile("""
        import sys

        def test_it(request):
            assert "penstock.testing.finding" not in sys.modules
            assert request.getfixturevalue("penstock_inline").jobs == []
    """)
    project.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)
