"""Live updates: what changes is renewed, what one looks at stays where it is."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from penstock import Penstock
from tests.browser.looking import NARROW, WIDE

_SHIFTS = """
window.shifted = 0;
window.moved = [];
new PerformanceObserver((list) => {
    for (const each of list.getEntries()) {
        window.shifted += each.value;
        window.moved.push(...each.sources.map((one) => one.node?.id || one.node?.className || one.node?.nodeName));
    }
})
    .observe({ type: "layout-shift", buffered: true });
"""
_BOXES = """() => Object.fromEntries([...document.querySelectorAll("h1, h2, th, nav a, [data-live]")].map((each, i) => {
    const box = each.getBoundingClientRect();
    return [`${i} ${each.localName} ${each.textContent.trim().slice(0, 20)}`, [box.x, box.y]];
}))"""


def _enqueue(store: Path, count: int) -> None:
    """Jobs that nobody serves, from another process than the site's."""
    with Penstock(f"sqlite:///{store}") as app:
        @app.task(name="mail.send_digest", queue="mail")
        def send_digest(customer: int) -> None: ...

        app.enqueue_many(send_digest.call(number) for number in range(count))


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(("path", "what"), [("/", "#figures"), ("/jobs", "#states"), ("/queues", "#queue-mail"),
                                            ("/workers", "#workers")])
def test_a_live_update_moves_nothing(own_url: str, own_store: Path, page: Page, path: str, what: str,
                                     size: ViewportSize) -> None:
    """Browsers measure it: 0.1 is what they call good, for a whole visit."""
    page.set_viewport_size(size)
    page.add_init_script(_SHIFTS)
    page.goto(f"{own_url}{path}")
    changing = page.locator(what)
    before = changing.text_content() or ""
    _enqueue(own_store, 7)
    expect(changing).not_to_have_text(before)
    assert page.evaluate("window.shifted") < 0.01, page.evaluate("window.moved")


def test_what_changes_is_renewed_and_nothing_moves(own_url: str, own_store: Path, page: Page) -> None:
    page.add_init_script(_SHIFTS)
    page.goto(f"{own_url}/queues")
    row = page.locator("#queue-mail, tr", has_text="mail").first
    before: str = row.inner_text()
    boxes: dict[str, Any] = page.evaluate(_BOXES)
    _enqueue(own_store, 7)
    expect(row).not_to_have_text(before)
    assert page.evaluate(_BOXES) == boxes
    assert page.evaluate("window.shifted") < 0.01


def test_a_box_that_is_ticked_and_the_focus_stay_while_the_list_is_renewed(own_url: str, own_store: Path,
                                                                           page: Page) -> None:
    """What is new waits above the list until somebody asks for it."""
    page.goto(f"{own_url}/jobs")
    row = page.locator("main tbody tr").nth(3)
    kept = page.locator(f"#{row.get_attribute('id')}")
    kept.locator("input.choose").check()
    kept.locator("td.num a").focus()
    _enqueue(own_store, 2)
    more = page.get_by_text("2 more: show")
    expect(more).to_be_visible()
    expect(page.locator("main tbody tr").nth(3)).to_have_id(str(kept.get_attribute("id")))
    expect(kept.locator("td.num a")).to_be_focused()
    more.click()
    expect(page.locator("main tbody tr").nth(5)).to_have_id(str(kept.get_attribute("id")))
    expect(more).to_be_hidden()
    expect(kept.locator("input.choose")).to_be_checked()


def test_a_tab_that_is_not_looked_at_asks_for_nothing(own_url: str, page: Page) -> None:
    """The stream ends when the tab is hidden, and begins anew when it is shown."""
    page.goto(f"{own_url}/")
    hide = """(hidden) => { Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
                            document.dispatchEvent(new Event("visibilitychange")); }"""
    page.evaluate(hide, True)
    with page.expect_request(lambda request: "/live" in request.url):
        page.evaluate(hide, False)
