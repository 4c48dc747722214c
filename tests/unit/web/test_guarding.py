"""Which requests a page of this very site makes, by what browsers say of them."""

import pytest
from starlette.datastructures import Headers

from penstock.web.guarding import is_foreign


def foreign(method: str = "POST", scheme: str = "http", host: str = "dash.example", **headers: str) -> bool:
    listed = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return is_foreign({"type": "http", "method": method, "scheme": scheme}, Headers(listed))


@pytest.mark.parametrize("said", [
    {}, {"origin": "http://dash.example"}, {"origin": "http://dash.example:80"}, {"sec_fetch_site": "same-origin"},
    {"origin": "https://dash.example"},  # a proxy took https off
    {"origin": "https://dash.example", "scheme": "https"}, {"origin": "https://dash.example:443", "scheme": "https"},
    {"origin": "http://[::1]:8321", "host": "[::1]:8321"}, {"origin": "http://DASH.example"}])
def test_what_this_site_or_no_browser_asks_is_not_foreign(said: dict[str, str]):
    assert not foreign(**said)


@pytest.mark.parametrize("said", [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}, {"origin": "http://dash.example:81"},
    {"origin": "http://dash.example", "scheme": "https"}, {"origin": "http://dash.example.evil"},
    {"origin": "http://dash.example@evil.example"}, {"origin": "file://dash.example"},
    {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "none"},
    {"origin": "http://dash.example", "sec_fetch_site": "cross-site"}])
def test_what_another_site_asks_is(said: dict[str, str]):
    assert foreign(**said)


def test_to_follow_a_link_is_no_more_than_to_look():
    assert not foreign("GET", sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert foreign("GET", sec_fetch_site="cross-site", sec_fetch_mode="cors")
    assert foreign("GET", sec_fetch_site="same-site", sec_fetch_mode="no-cors")
