"""What a page is and what a change is: declarations, from which the site, the API and its description are made.

A page is a `View`, a change is an `Action`, something to download is a `File`. None of them knows HTTP, sessions or
HTML: they are given what was asked and who asks, and answer with values.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from penstock.app import Penstock
from penstock.domain.masking import Masking

SCOPES = ("read", "operate", "sensitive", "approve")
"""What a person may do: look; change what runs; see arguments, results and stacks; let withheld deletes go."""

A = TypeVar("A")
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, by the name of their token, and what they may do."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Seen:
    """What a page is given besides what was asked: the app, and who looks at it."""

    app: Penstock
    person: Person

    def may(self, scope: str) -> bool:
        """Whether this person has one of `SCOPES`."""
        return scope in self.person.scopes

    def masked(self, text: str | None) -> str:
        """An error text, a note or a reason, in which values beside names such as `password` are hidden."""
        return self.masking.text(text or "")

    def masked_json(self, text: str | None) -> str:
        """Arguments, a result or a cursor (JSON), in which values under such names are hidden."""
        return self.masking.json(text or "")

    def masked_value(self, value: Any) -> Any:
        """What JSON may be made of, with values under such names hidden; None for what is none."""
        if value is None:
            return None
        try:
            return msgspec.json.decode(self.masked_json(msgspec.json.encode(value, enc_hook=str).decode()))
        except (msgspec.DecodeError, TypeError):
            return None

    def database(self, place: str) -> str:
        """A database by the name that the app gave it; one that it has not named, by its URL."""
        return next((each.name for each in self.app.databases.values() if each.place == place), place)

    @cached_property
    def masking(self) -> Masking:
        return Masking.of(self.app.settings.web_masked)


class NotFound(Exception):
    """There is no such thing (any more). `what` says what is missing, `do` what to do about it."""

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.do = do


class Forbidden(Exception):
    """Whoever asks has not the scope that this needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"this needs the scope {scope!r}")
        self.scope = scope


@dataclass(frozen=True, slots=True)
class Done:
    """What an action has done: what is said of it, the page to go on with, and what the journal keeps of it."""

    said: str
    to: str
    """A path of the site, as in `View.path`, with its query string."""
    about: str
    """What was changed, as `job:7`, `queue:default`, `sync:ads/product-1`."""
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A file that is given to download."""

    name: str
    media_type: str
    body: bytes


@dataclass(frozen=True)
class View(Generic[A, M]):
    """A page, which only shows. See `penstock.web.pages` for how one is added."""

    path: str
    """Where it is, `/jobs/{id}`. It is stable, and its query string holds its filters."""
    asked: type[A]
    """A frozen, keyword-only `msgspec.Struct`: path parameters and query string by name, with defaults."""
    load: Callable[[Seen, A], M]
    """On a thread: all that the template shows. Raises `NotFound`."""
    template: str
    title: Callable[[M], str] | str
    nav: str
    """The entry of the navigation that it belongs to: `penstock.web.nav`."""
    live: float | None = None
    """Its regions (the macro `live`) are renewed every so many seconds, by one load for all browsers."""
    scope: str = "read"
    exact: bool = False
    """It is what somebody goes by, so it is never read from a replica."""


@dataclass(frozen=True)
class Action(Generic[A]):
    """A change, asked for by POST: by a form of a page, or by JSON at the API."""

    path: str
    asked: type[A]
    """Path parameters, and the fields of the form or of the JSON body, by name."""
    do: Callable[[Seen, A], Done]
    scope: str = "operate"


@dataclass(frozen=True)
class File(Generic[A]):
    """Something to download."""

    path: str
    asked: type[A]
    load: Callable[[Seen, A], Content]
    media_type: str
    scope: str = "read"


@dataclass(frozen=True)
class Declared:
    """All that a site consists of."""

    views: tuple[View[Any, Any], ...]
    actions: tuple[Action[Any], ...] = ()
    files: tuple[File[Any], ...] = field(default=())
