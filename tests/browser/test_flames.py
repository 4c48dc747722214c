"""Flame graphs: a frame is looked at by click and by key, the way back leads back, and functions are found."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.looking import NARROW, Looked

PAGE = "/flame/directory"
_WIDTH = "each => parseFloat(each.firstChild.getAttribute('width'))"
LOOKED_AT = re.compile(r"[?&]look=\w+")
_TITLE = "each => each.querySelector('title').textContent.split('\\n')[0]"


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    with Looked.at(browser, timeout_ms=60_000, java_script_enabled=False) as found:
        yield found.page
        assert found.faults == []


def _name(frame: Locator) -> str:
    name: str = frame.evaluate(_TITLE)
    return name


def _part(page: Page, place: int = 0) -> Locator:
    """The widest frame that is not as wide as the whole, and can be clicked on; or one of those that follow."""
    frames = page.locator(".flame .frame:not([tabindex])")
    widths: list[float] = frames.evaluate_all(f"all => all.map({_WIDTH})")
    wide = sorted((number for number, width in enumerate(widths) if width < 100), key=lambda number: -widths[number])
    return frames.nth(wide[place])


def _looked_at(page: Page) -> Locator:
    return page.locator(".flame .is-looked-at")


def _stays(page: Page) -> None:
    """Whoever loads the page anew is found out by `_stayed`."""
    page.evaluate("window.stayed = true")


def _stayed(page: Page) -> bool:
    return page.evaluate("window.stayed") is True


def test_a_click_looks_at_a_frame_and_the_way_back_shows_all(url: str, page: Page) -> None:
    page.goto(url + PAGE)
    _stays(page)
    all_there = page.locator(".flame .frame").count()
    frame = _part(page)
    name = _name(frame)
    frame.click()
    expect(page).to_have_url(LOOKED_AT)
    expect(_looked_at(page)).to_have_count(1)
    assert _name(_looked_at(page)) == name
    assert _looked_at(page).locator("svg").get_attribute("width") == "100.000%"
    assert page.locator(".flame .frame").count() < all_there
    first = page.url
    page.go_back()
    expect(_looked_at(page)).to_have_count(0)
    expect(page.locator(".flame .frame")).to_have_count(all_there)
    page.go_forward()
    expect(_looked_at(page)).to_have_count(1)
    assert page.url == first
    page.get_by_role("link", name="Show all").click()
    expect(_looked_at(page)).to_have_count(0)
    expect(page.get_by_role("link", name="Show all")).to_have_count(0)
    assert _stayed(page)
    page.goto(first)  # the address alone says it all
    assert _name(_looked_at(page)) == name


def test_a_frame_is_looked_at_by_key_and_the_focus_stays_in_the_graph(url: str, page: Page) -> None:
    page.goto(url + PAGE)
    _stays(page)
    frame = _part(page)
    name = _name(frame)
    frame.focus()
    page.keyboard.press("Enter")
    expect(_looked_at(page)).to_be_focused()
    assert _name(_looked_at(page)) == name
    page.keyboard.press("Enter")
    expect(_looked_at(page)).to_have_count(0)
    expect(page.locator(".flame .frame:focus")).to_have_count(1)
    assert not LOOKED_AT.search(page.url)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Download for speedscope")).to_be_focused()
    assert _stayed(page)


def test_functions_are_found_while_typing_and_stay_found_in_a_frame(url: str, page: Page) -> None:
    page.goto(url + PAGE)
    _stays(page)
    names: list[str] = page.locator(".flame .frame").evaluate_all(f"all => all.map({_TITLE})")
    wanted = _name(_part(page)).rpartition(".")[2]
    page.keyboard.press("/")
    expect(page.get_by_label("Find a function")).to_be_focused()
    page.keyboard.type(wanted.upper())
    found = page.locator(".flame .found")
    expect(found).to_have_count(sum(wanted.lower() in name.lower() for name in names))
    expect(page.locator(".found-share")).to_have_text(re.compile(r"^in [\d.]+% of what is shown$"))
    page.keyboard.press("Escape")
    _part(page).click()
    expect(_looked_at(page)).to_have_count(1)
    expect(page.get_by_label("Find a function")).to_have_value(wanted.upper())
    expect(found.first).to_be_visible()
    page.get_by_label("Find a function").fill("")
    expect(found).to_have_count(0)
    expect(page.locator(".found-share")).to_have_text("")
    assert _stayed(page)


def test_the_frame_that_was_chosen_last_is_looked_at(url: str, page: Page) -> None:
    """Whichever answer comes last."""
    page.goto(url + PAGE)
    frame = _part(page)
    name = _name(frame)
    held: list[Route] = []
    page.route(LOOKED_AT, lambda route: held.append(route))
    with page.expect_request(LOOKED_AT):
        _part(page, 1).click()
    with page.expect_request(LOOKED_AT):
        frame.click()
    one, two = held
    two.continue_()
    expect(_looked_at(page)).to_have_count(1)
    with page.expect_response(LOOKED_AT):
        one.continue_()
    page.unroute(LOOKED_AT)
    assert _name(_looked_at(page)) == name
    expect(page).to_have_url(two.request.url)


def test_on_a_telephone_the_graph_scrolls_and_the_page_does_not(url: str, looked: Looked) -> None:
    looked.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    looked.page.goto(url + PAGE)
    assert looked.too_wide() == []
    region = looked.page.get_by_role("region", name="Flame graph")
    assert region.evaluate("each => each.scrollWidth > each.clientWidth")
    _part(looked.page).click()
    expect(_looked_at(looked.page)).to_have_count(1)
    assert looked.too_wide() == []


def test_without_a_script_it_is_read_looked_at_and_searched(url: str, plain: Page) -> None:
    plain.goto(url + PAGE)
    expect(plain.locator(".flame text").first).to_be_visible()
    frame = _part(plain)
    name = _name(frame)
    frame.click()
    expect(plain).to_have_url(LOOKED_AT)
    assert _name(_looked_at(plain)) == name
    plain.get_by_label("Find a function").fill(name)
    plain.get_by_role("button", name="Find").click()
    expect(plain).to_have_url(LOOKED_AT)
    expect(plain.locator(".flame .found").first).to_be_visible()
    expect(plain.locator(".found-share")).to_contain_text("of all samples")
    plain.get_by_role("link", name="Show all").click()
    expect(_looked_at(plain)).to_have_count(0)
