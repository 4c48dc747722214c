"""Browsers of people with less than all scopes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from penstock import Penstock
from penstock.web.people import new_token
from penstock.web.site import for_this_machine
from tests.web.conftest import Client, browser


@contextmanager
def someone(app: Penstock, *scopes: str) -> Iterator[Client]:
    """A program with a token of these scopes."""
    token, entry = new_token("ada", scopes)
    settings, app.settings = app.settings, replace(app.settings, web_tokens=entry)
    try:
        with browser(for_this_machine(app, share_seconds=0)) as client:
            client.headers["Authorization"] = f"Bearer {token}"
            yield client
    finally:
        app.settings = settings
