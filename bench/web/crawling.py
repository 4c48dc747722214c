"""Finds the pages of the surfaces as a person does: by links, and by forms that filter; a few of each kind.

Of the kind is what has the same path, but for numbers and names in it, and the same names in its query string.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

_OF_A_KIND, _OF_A_PATH = 2, 12
_NO_PAGE = ("/api/", "/static/", "/live", "/metrics", "/healthz", "/readyz", "/logout", "/login")


class Read(HTMLParser):
    """The links of a page, and the addresses that its GET forms lead to: one for each choice of each list, and one for
    each field that `words` have something for."""

    def __init__(self, text: str, words: dict[str, str]) -> None:
        super().__init__()
        self.links: list[str] = []
        self._words = words
        self._form: str | None = None
        self._list: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        match tag:
            case "a" if found.get("href"):
                self.links.append(found["href"] or "")
            case "form" if (found.get("method") or "get").lower() == "get":
                self._form = found.get("action") or ""
            case "select":
                self._list = found.get("name")
            case "option" if self._form is not None and self._list and found.get("value"):
                self._add(self._list, found["value"] or "")
            case "input" if self._form is not None and found.get("name") in self._words:
                self._add(found["name"] or "", self._words[found["name"] or ""])

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "form":
                self._form = None
            case "select":
                self._list = None

    def _add(self, name: str, value: str) -> None:
        assert self._form is not None
        self.links.append(f"{self._form}?{urlencode({name: value})}")


def crawl(fetch: Callable[[str], str | None], starts: Iterable[str], patterns: Sequence[str],
          words: dict[str, str]) -> dict[str, list[str]]:
    """By pattern, the addresses of pages that are reached from `starts`; `fetch` gives a page's HTML, or None."""
    found: dict[str, list[str]] = {pattern: [] for pattern in patterns}
    kinds: dict[tuple[str, tuple[str, ...]], int] = {}
    waiting = list(dict.fromkeys(starts))
    seen = set(waiting)
    while waiting:
        address = waiting.pop(0)
        pattern = pattern_of(address, patterns)
        if pattern is None:
            continue
        kind = pattern, tuple(sorted(dict(parse_qsl(urlsplit(address).query))))
        if kinds.get(kind, 0) >= _OF_A_KIND or len(found[pattern]) >= _OF_A_PATH:
            continue
        text = fetch(address)
        if text is None:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        found[pattern].append(address)
        for link in _own(address, Read(text, words).links):
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    return found


def _own(address: str, links: Iterable[str]) -> Iterator[str]:
    """Links to pages of the same host, without host and fragment, and without what a form leaves empty."""
    for link in links:
        parts = urlsplit(urljoin(f"http://here{address}", link))
        if parts.netloc == "here" and not parts.path.startswith(_NO_PAGE):
            query = urlencode([pair for pair in parse_qsl(parts.query) if pair[1]])
            yield f"{parts.path}?{query}" if query else parts.path


def pattern_of(address: str, patterns: Sequence[str]) -> str | None:
    """The pattern (`/jobs/{id}`) that an address fits, the most exact of them."""
    path = urlsplit(address).path.strip("/").split("/")
    best: tuple[int, str] | None = None
    for pattern in patterns:
        parts = pattern.strip("/").split("/")
        rest = parts and parts[-1].endswith(":path}")
        if len(parts) != len(path) and not (rest and len(path) >= len(parts)):
            continue
        if all(part == given or part.startswith("{") for part, given in zip(parts, path, strict=False)):
            exact = sum(not part.startswith("{") for part in parts)
            if best is None or exact > best[0]:
                best = exact, pattern
    return None if best is None else best[1]
