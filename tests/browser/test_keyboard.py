"""The dashboard by keys alone."""

import re

from playwright.sync_api import Page, expect

from penstock.web.nav import NAV
from penstock.web.pages import declared

_ENTRIES = [entry for _, entries in NAV for entry in entries]
_RING = """() => { const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || style.boxShadow !== "none"; }"""


def test_each_page_of_the_navigation_has_keys(url: str, page: Page) -> None:
    paths = {view.path for view in declared().views}
    page.goto(f"{url}/")
    for entry in _ENTRIES:
        if entry.path in paths:
            page.keyboard.press("g")
            with page.expect_navigation():
                page.keyboard.press(entry.key)
            expect(page).to_have_url(re.compile(f"{re.escape(entry.path)}$"))
            expect(page.locator("nav a[aria-current=page]").first).to_have_text(entry.text)


def test_tab_reaches_the_content_first_and_shows_where_it_is(url: str, page: Page) -> None:
    page.goto(f"{url}/jobs")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(_RING), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        seen.add(page.evaluate("document.activeElement.outerHTML"))
    assert len(seen) == 12


def test_a_list_is_walked_through_and_a_row_opened(url: str, page: Page) -> None:
    page.goto(f"{url}/jobs")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("main tbody tr").nth(1)
    expect(second).to_have_class(re.compile("is-chosen"))
    page.keyboard.press("x")
    expect(second.locator("input.choose")).to_be_checked()
    page.keyboard.press("k")
    expect(page.locator("main tbody tr").nth(0)).to_have_class(re.compile("is-chosen"))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/jobs/\d+$"))


def test_a_slash_goes_to_the_filter_and_a_question_mark_tells_the_keys(url: str, page: Page) -> None:
    page.goto(f"{url}/jobs")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Task", exact=True)).to_be_focused()


def test_the_theme_changes_at_once_and_is_kept(url: str, page: Page) -> None:
    page.goto(f"{url}/")
    with page.expect_response(lambda answer: answer.url.endswith("/theme")):
        page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
