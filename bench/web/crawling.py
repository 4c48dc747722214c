"""Finds the pages of the surfaces as a person does: by links, and by forms that filter; a few of each kind.

Of the kind is what has the same path, but for numbers and names in it, and the same names in its query string.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

_SOUGHT = 200
_NO_PAGE = ("/api/", "/static/", "/live", "/metrics", "/healthz", "/readyz", "/logout", "/login")


@dataclass
class Form:
    """A form that changes nothing: where it leads, what goes along anyway, what may be chosen, and its buttons."""

    action: str
    along: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str]] = field(default_factory=list)
    ticks: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def addresses(self) -> Iterator[str]:
        """One for each choice, and one for each button with what may be ticked first."""
        if self.along and not self.choices and not self.buttons:
            yield f"{self.action}?{urlencode(self.along)}"
        for pair in self.choices:
            yield f"{self.action}?{urlencode([*self.along, pair])}"
        for pair in self.buttons:
            yield f"{self.action}?{urlencode([*self.along, *self.ticks.items(), pair])}"


class Read(HTMLParser):
    """The links of a page, and the addresses that its GET forms lead to: one for each choice of each list and each
    suggestion, one for each field that `words` have something for, and one for each button with a value."""

    def __init__(self, text: str, words: dict[str, str]) -> None:
        super().__init__()
        self._links: list[str] = []
        self._words = words
        self._forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._form: Form | None = None
        self._list: str | None = None
        self._suggested: dict[str, str] = {}
        self.feed(text)

    @property
    def links(self) -> list[str]:
        return [*self._links, *(address for form in self._forms for address in form.addresses)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name, value = found.get("name", ""), found.get("value", "")
        form = self._by_id.get(found["form"]) if "form" in found else self._form
        if tag == "a" and found.get("href"):
            self._links.append(found["href"])
        elif tag == "form" and found.get("method", "get").lower() == "get":
            self._form = Form(found.get("action", ""))
            self._forms.append(self._form)
            self._by_id[found.get("id", "")] = self._form
        elif tag in ("select", "datalist"):
            self._list = name or self._suggested.get(found.get("id", ""))
        elif form is None:
            return
        elif tag == "option" and self._list and value:
            form.choices.append((self._list, value))
        elif tag == "button" and name and "formmethod" not in found:
            form.buttons.append((name, value))
        elif tag == "input" and found.get("type") == "hidden":
            form.along.append((name, value))
        elif tag == "input" and found.get("type") == "checkbox":
            form.ticks.setdefault(name, value)
        elif tag == "input":
            self._suggested[found.get("list", "")] = name
            if name in self._words:
                (form.along if "required" in found else form.choices).append((name, self._words[name]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag in ("select", "datalist"):
            self._list = None


def crawl(fetch: Callable[[str], str | None], starts: Iterable[str], patterns: Sequence[str], words: dict[str, str], *,
          of_a_kind: int = 2, of_a_path: int = 12) -> dict[str, list[str]]:
    """By pattern, the addresses of pages that are reached from `starts`; `fetch` gives a page's HTML, or None.

    While nothing leads to some pattern, links of more pages of the same kind are followed.
    """
    found: dict[str, list[str]] = {pattern: [] for pattern in patterns}
    kinds: dict[tuple[str, tuple[str, ...]], int] = {}
    waiting, later = list(dict.fromkeys(starts)), list[str]()
    seen = set(waiting)
    sought = 0
    while waiting or (later and sought < _SOUGHT and not all(found.values())):
        more = not waiting
        address = later.pop(0) if more else waiting.pop(0)
        pattern = pattern_of(address, patterns)
        if pattern is None:
            continue
        kind = pattern, tuple(sorted(dict(parse_qsl(urlsplit(address).query))))
        if not more and (kinds.get(kind, 0) >= of_a_kind or len(found[pattern]) >= of_a_path):
            later.append(address)
            continue
        sought += more
        text = fetch(address)
        if text is None:
            continue
        if not more:
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
