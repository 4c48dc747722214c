"""A window of the browser, and everything that is wrong with what it shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
_SCRIPT = (Path(__file__).parent / "looking.js").read_text("utf-8")
_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error("CSP", event.violatedDirective, event.blockedURI));
"""


@dataclass
class Looked:
    """`faults` are errors of the console (violations of the CSP among them), errors of scripts, requests that failed,
    and requests to any other host."""

    page: Page
    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def at(cls, browser: Browser, *, timeout_ms: int, **options: Any) -> "Iterator[Looked]":
        context = browser.new_context(viewport=WIDE, reduced_motion="reduce", **options)
        context.set_default_timeout(timeout_ms)
        if options.get("java_script_enabled", True):
            context.add_init_script(_VIOLATIONS + _SCRIPT)
        try:
            looked = cls(context.new_page())
            looked._listen()
            yield looked
        finally:
            context.close()

    def _listen(self) -> None:
        page = self.page
        page.on("console", lambda said: self.faults.append(f"{page.url}: {said.text}")
                if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        page.on("response", lambda answer: self.faults.append(f"{answer.url}: status {answer.status}")
                if answer.status >= 400 else None)

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("data", "blob"):
            return
        self.hosts.add(parts.netloc)
        if len(self.hosts) > 1:
            self.faults.append(f"{self.page.url}: it asks another host: {url}")

    def wrong(self) -> list[str]:
        """What is wrong with what is shown: names that are missing, ids that come twice, contrast, headings."""
        found: list[str] = self.page.evaluate("window.wrongWith()")
        return [f"{self.page.url}: {each}" for each in found]

    def wrong_colours(self) -> list[str]:
        """Text whose contrast is below WCAG AA."""
        found: list[str] = self.page.evaluate("window.faintTexts()")
        return [f"{self.page.url}: {each}" for each in found]

    def unseen_focus(self) -> list[str]:
        """What the keyboard comes to without showing that it is there."""
        self.page.keyboard.press("Tab")
        found: list[str] = self.page.evaluate("window.withoutRing()")
        return [f"{self.page.url}: {each}" for each in found]

    def too_wide(self) -> list[str]:
        """By how much the page scrolls sideways, and what makes it."""
        found: list[str] = self.page.evaluate("window.tooWide()")
        return [f"{self.page.url}: {each}" for each in found]
