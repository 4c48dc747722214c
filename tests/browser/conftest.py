"""The dashboard of a small world in a real Chromium: Debian's `chromium`, or another of that name on the PATH.

`make test-web` runs this, and only this does. Where there is no browser the tests skip; under REQUIRE=1 they fail.
"""

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from bench.web.crawling import crawl
from penstock.web.pages import declared
from tests.browser.looking import Looked
from tools.world.place import ROOT, World, world

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_MS = 60_000
LOOKED_AT = 4
"""Of the pages of one kind, so many are looked at."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only who names this folder means it: a browser takes its time, and not everybody has one."""
    asked = any("browser" in Path(argument.partition("::")[0]).parts for argument in config.args)
    return None if asked or collection_path.suffix != ".py" else True


@pytest.fixture(scope="session")
def executable() -> str:
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        said = "no Chromium is installed (Debian: chromium)"
        if os.environ.get("REQUIRE") == "1":
            pytest.fail(f"{said}, and REQUIRE=1")
        pytest.skip(said)
    return found


@pytest.fixture(scope="session")
def made(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world"), people=120, groups=6, orders=6_000, hours=4, size=0.1) as found:
        yield found


@contextmanager
def serving(made: World, store: Path) -> Iterator[str]:
    """`penstock web` on a copy of the world's store, and a worker that is busy; gives the URL."""
    shutil.copy(made.folder / "penstock.db", store)
    environment = {**made.environment, "PENSTOCK_URL": f"sqlite:///{store}"}
    with ExitStack() as stack:
        log = stack.enter_context(store.with_suffix(".log").open("w"))

        def started(*arguments: str) -> "subprocess.Popen[str]":
            process = stack.enter_context(subprocess.Popen(made.penstock(*arguments), cwd=ROOT, env=environment,
                                                           stdout=subprocess.PIPE, stderr=log, text=True))
            stack.callback(process.terminate)
            return process

        started("worker", "--queue", "media=2", "--quiet")
        web = started("web", "--port", "0")
        assert web.stdout is not None
        line = web.stdout.readline()
        assert "http://" in line, store.with_suffix(".log").read_text()
        yield line[line.index("http://"):].strip().rstrip("/")


@pytest.fixture(scope="session")
def url(made: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site that tests look at and leave as it is."""
    with serving(made, tmp_path_factory.mktemp("site") / "looked-at.db") as found:
        yield found


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "own.db"


@pytest.fixture(scope="module")
def own_url(made: World, own_store: Path) -> Iterator[str]:
    """A site of this module's own, in which it may change what it likes."""
    with serving(made, own_store) as found:
        yield found


def fetched(url: str, *, all_there: bool = True) -> Callable[[str], str | None]:
    """What gives the HTML of a page of that site; None for what is none, and for what is missing if not `all_there`."""
    def fetch(address: str) -> str | None:
        try:
            with urllib.request.urlopen(url + address, timeout=60) as answer:
                html = answer.headers.get_content_type() == "text/html"
                return answer.read().decode() if html else None
        except urllib.error.HTTPError as error:
            if error.code == 404 and not all_there:
                return None
            pytest.fail(f"{address}: a link or a filter leads there, and the answer is {error}")
    return fetch


@pytest.fixture(scope="session")
def addresses(url: str) -> dict[str, list[str]]:
    """By the path of each page that is declared, where links and filters lead to it."""
    patterns = [view.path for view in declared().views]
    return crawl(fetched(url), ["/", "/jobs?tag=newsletter&state=completed"], patterns, {}, of_a_path=LOOKED_AT)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=_TIMEOUT_MS)
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright, executable: str) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
    yield found
    found.close()


@pytest.fixture
def looked(browser: Browser) -> Iterator[Looked]:
    """A new window, of which in the end nothing may be said: see `Looked.faults`."""
    with Looked.at(browser, timeout_ms=_TIMEOUT_MS) as found:
        yield found
        assert found.faults == []


@pytest.fixture
def page(looked: Looked) -> Page:
    return looked.page
