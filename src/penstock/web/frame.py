"""What surrounds one page while it is rendered: where the site is mounted, who looks, what was just done."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from penstock.web.declared import Person


@dataclass(frozen=True)
class Frame:
    """Of one rendering. `root` is the prefix that the site is mounted under, without a slash at its end."""

    root: str
    path: str
    """The page's own, without the root."""
    query: str
    person: Person
    csrf: str = ""
    said: str = ""
    said_badly: bool = False
    theme: str = ""
    can_sign_out: bool = False
    live: float | None = None
    replica: str | None = None
    """What is to be said of the replica; None where there is none."""
    regions: dict[str, str] = field(default_factory=dict)
    """The inner HTML of each live region, as it was rendered."""


FRAME: ContextVar[Frame] = ContextVar("penstock_web_frame")


def link(path: str, *segments: object, **query: object) -> str:
    """A URL of this site: `link("/jobs/{}", 7, tab="errors")`. Segments are quoted; what is None or empty is left out.

    A list gives its name several times.
    """
    return FRAME.get().root + to(path, *segments, **query)


def to(path: str, *segments: object, **query: object) -> str:
    """The same as `Done.to` takes it: without where the site is mounted."""
    where = path.format(*(quote(str(segment), safe="") for segment in segments)) if segments else path
    return where + _encoded(query, "&" if "?" in where else "?")


def here(**changes: object) -> str:
    """The URL of this very page, with some of its filters changed; None leaves one out. Its place in a list goes."""
    frame = FRAME.get()
    kept: dict[str, object] = {}
    for name, value in parse_qsl(frame.query):
        if name not in changes and name not in ("before", "after"):
            found = kept.setdefault(name, [])
            assert isinstance(found, list)
            found.append(value)
    return frame.root + frame.path + _encoded({**kept, **changes}, "?")


def _encoded(query: Mapping[str, object], first: str) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is not None and each != "" and each is not False:
                pairs.append((name, "1" if each is True else str(each)))
    return first + urlencode(pairs) if pairs else ""
