"""Each page, as links and filters lead to it."""

import pytest

from penstock.web.pages import declared
from tests.browser.looking import NARROW, WIDE, Looked

VIEWS = [view.path for view in declared().views]


@pytest.mark.parametrize("path", VIEWS)
def test_a_page_can_be_read_by_everybody(path: str, url: str, addresses: dict[str, list[str]], looked: Looked) -> None:
    """It can be reached, its parts have names, the focus shows, it fits, and its text has the contrast of WCAG AA in
    both themes."""
    assert addresses[path], f"{path}: expected a link or a filter that leads to this page, found none"
    wrong = []
    for address in addresses[path]:
        looked.page.emulate_media(color_scheme="light")
        looked.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        answer = looked.page.goto(url + address, wait_until="load")
        assert answer is not None
        assert answer.status == 200, address
        wrong += looked.wrong() + looked.wrong_colours() + looked.too_wide() + looked.unseen_focus()
        looked.page.emulate_media(color_scheme="dark")
        wrong += looked.wrong_colours()
        looked.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        wrong += looked.too_wide() + looked.wrong()
    assert wrong == []
