"""A browser on the real site of `app`, on both stores."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from penstock import Penstock
from penstock.web.site import Site, for_this_machine

URL = "http://127.0.0.1:8321"


class Client(TestClient):
    """It follows redirects, keeps cookies, and says of its forms what a browser says of those of a page."""

    def form_token(self, path: str = "/") -> str:
        """The token of this session, as it stands in every page."""
        found = re.search(r'<meta name="csrf" content="([0-9a-f]*)">', self.get(path).text)
        assert found is not None, "the page has no token: is it one?"
        return found[1]

    def post_form(self, path: str, fields: dict[str, Any], **options: Any) -> Any:
        """Send a form as a page of the site would, and follow where it leads."""
        headers = {"Origin": str(self.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        return self.post(path, data={"csrf": self.form_token(), **fields}, headers=headers, **options)

    def sign_in(self, token: str) -> Any:
        """As a person does."""
        return self.post_form("/sign-in", {"token": token})


def browser(site: Any, url: str = URL, *, raising: bool = True) -> Client:
    """A browser on this machine, which has not been here before."""
    return Client(site, base_url=url, raise_server_exceptions=raising, client=("127.0.0.1", 50000))


@pytest.fixture
def site(app: Penstock) -> Site:
    """As `penstock web` serves it on loopback; what it shows is loaded for each request."""
    return for_this_machine(app, share_seconds=0)


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with browser(site) as client:
        yield client
