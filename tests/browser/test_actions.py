"""Each change that is declared, made by pressing its button where a page has one."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from bench.web.crawling import crawl, pattern_of
from penstock.web.pages import declared
from tests.browser.conftest import fetched

_AGAIN = 2
ACTIONS = [action.path for action in declared().actions]
_FORM = re.compile(r'<form method="post"[^>]* action="([^"]+)"|formaction="([^"]+)"')
_JOB = re.compile(r'href="(/jobs/\d+)"')


class Places:
    """Where the forms are: pages with a form for an action, and the form's own address. Some come to be only by what
    was done before: what is paused can be resumed."""

    def __init__(self, url: str) -> None:
        self._fetch = fetched(url, all_there=False)  # a run of what is no subject was asked for
        self._found = self._look()

    def of(self, path: str) -> list[tuple[str, str]]:
        """What was done may have brought it about where there was another form, or a page that was not there: so it is
        looked for first there, then everywhere."""
        if not self._found[path]:
            again = dict.fromkeys(address for places in self._found.values() for address, _ in places[:_AGAIN])
            self._found[path] = self._forms({each: self._fetch(each) or "" for each in again})[path]
        if not self._found[path]:
            self._found = self._look()
        return self._found[path]

    def _look(self) -> dict[str, list[tuple[str, str]]]:
        pages: dict[str, str] = {}

        def kept(address: str) -> str | None:
            text = self._fetch(address)
            pages[address] = text or ""
            return text

        crawl(kept, ["/jobs?state=discarded", "/jobs?state=scheduled", "/"], [view.path for view in declared().views],
              {}, of_a_kind=3, of_a_path=8)
        for state in ("scheduled", "discarded"):  # whatever jobs the walk has come by, some have to be in these
            listed = dict.fromkeys(_JOB.findall(pages.get(f"/jobs?state={state}", "")))
            for address in list(listed)[:5]:
                if address not in pages:
                    kept(address)
        return self._forms(pages)

    @staticmethod
    def _forms(pages: dict[str, str]) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {path: [] for path in ACTIONS}
        for address, text in pages.items():
            for first, second in _FORM.findall(text):
                path = pattern_of(first or second, ACTIONS)
                if path is not None:
                    found[path].append((address, first or second))
        return found


@pytest.fixture(scope="module")
def places(own_url: str) -> Places:
    return Places(own_url)


def _buttons(page: Page, action: str) -> Iterator[Locator]:
    for selector in (f'form[method="post"][action="{action}"] button', f'button[formaction="{action}"]'):
        yield from page.locator(selector).all()


def _press(page: Page, button: Locator) -> None:
    """Open what it is hidden in, fill in what has to be, and press it."""
    for closed in button.locator("xpath=ancestor::details[not(@open)]").all():
        closed.locator("summary").first.click()
    form = button.locator("xpath=ancestor::form")
    for box in form.locator("input[type=checkbox]:visible").all()[:1]:
        box.check()
    for field in form.locator("input[required]:visible").all():
        if not field.input_value():
            field.fill("a reason")
    with page.expect_navigation():
        button.click()


@pytest.mark.parametrize("path", ACTIONS)
def test_a_change_can_be_made_where_a_page_offers_it(path: str, own_url: str, page: Page, places: Places) -> None:
    offered = places.of(path)
    assert offered, f"{path}: expected a page with a button for this, found none"
    for address, action in offered:
        page.goto(own_url + address)
        for button in _buttons(page, action):
            _press(page, button)
            said = page.get_by_role("status")
            expect(said).to_be_visible()
            expect(said).not_to_have_class(re.compile("bad"))
            return
    pytest.fail(f"{path}: its buttons were gone by the time they were looked for: {offered[:3]}")


def test_a_change_is_in_the_journal_with_who_made_it(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs?state=scheduled")
    page.locator("main tbody tr a").first.click()
    id = page.url.rpartition("/")[2]
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("status")).to_be_visible()
    page.goto(f"{own_url}/journal")
    first = page.locator("main tbody tr").first
    expect(first).to_contain_text("local")
    expect(first).to_contain_text(id)
