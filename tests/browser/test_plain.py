"""Without JavaScript: links, forms, and a page after each change."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looking import Looked


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    with Looked.at(browser, timeout_ms=60_000, java_script_enabled=False) as found:
        yield found.page
        assert found.faults == []


def test_every_page_of_the_navigation_is_there(url: str, plain: Page) -> None:
    plain.goto(f"{url}/")
    links = [link.get_attribute("href") for link in plain.locator("header nav a").all()]
    assert len(links) > 5
    for link in links:
        plain.goto(f"{url}{link}")
        expect(plain.locator("h1")).to_be_visible()


def test_a_filter_finds_and_a_question_is_asked_before_jobs_are_cancelled(own_url: str, plain: Page) -> None:
    plain.goto(f"{own_url}/jobs?state=available")
    plain.get_by_label("Queue", exact=True).fill("mail")
    plain.get_by_role("button", name="Filter").click()
    expect(plain).to_have_url(re.compile("queue=mail"))
    id = plain.locator("main tbody tr").first.get_attribute("id")
    plain.locator(f"#{id} input.choose").check()
    plain.locator("#acting").get_by_role("button", name="Cancel").click()
    plain.get_by_role("button", name=re.compile("^Cancel 1")).click()
    expect(plain.get_by_role("status")).to_contain_text("1")
    expect(plain.locator(f"#{id}")).to_have_count(0)


def test_a_button_that_asks_first_asks_first(own_url: str, plain: Page) -> None:
    plain.goto(f"{own_url}/jobs?state=scheduled")
    plain.locator("main tbody tr a").first.click()
    button = plain.locator("form[action$='/cancel'] button")
    expect(button).to_be_hidden()
    plain.locator("summary", has_text="Cancel").click()
    button.click()
    expect(plain.locator(".job-line")).to_contain_text("cancelled")


def test_the_theme_is_set_by_a_button(own_url: str, plain: Page) -> None:
    plain.goto(f"{own_url}/")
    plain.get_by_label("Theme").select_option("dark")
    plain.get_by_role("button", name="Set").click()
    expect(plain.locator("html")).to_have_attribute("data-theme", "dark")
