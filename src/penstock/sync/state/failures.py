"""Records that failed, are blocked or in doubt, page by page, and gathered into classes of identical errors.

Two records are of one class if they are of one layer, in one state, and failed with the same code and with messages
that differ in nothing but numbers, quoted names and addresses. Reading is in bounded pages, and of
what is in order nothing is read.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from penstock.domain.records import Subject
from penstock.store.port import Row, Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.state.messages import pattern, plain

_PAGE = 1000
_SAMPLES = 3
STATUSES = ("blocked", "failed", "in_doubt")
_NEXT = "\x01"
"""What comes right behind a text: no text that the store holds has a NUL."""
MOST_CLASSES = 1000
"""Beyond these, messages that no pattern brings together are told apart by their code only."""


class Failure(NamedTuple):
    """One record's row. Times are in milliseconds since 1970, UTC."""

    status: str
    key: str
    error_class: str | None
    error: str | None
    attempts: int | None
    retry_at: int | None
    changed_at: int

    @property
    def code(self) -> str:
        return plain(self.error_class or "") or "unknown"


@dataclass(slots=True)
class ErrorClass:
    """Identical errors of one layer's records.

    `name` is what `retry` takes, `message` the last one of any of them, `first_at` and `last_at` when the first and the
    last of them came to be so, `retry_at` when the next of them goes again by itself (None: with the next run, or in no
    run), `keys` a few of them.
    """

    layer: str
    name: str
    status: str
    code: str
    message: str
    count: int = 0
    first_at: int = 0
    last_at: int = 0
    retry_at: int | None = None
    keys: list[str] = field(default_factory=list)

    def add(self, failure: Failure) -> None:
        """Count one record in."""
        if self.count == 0 or failure.changed_at < self.first_at:
            self.first_at = failure.changed_at
        if failure.changed_at >= self.last_at:
            self.last_at, self.message = failure.changed_at, failure.error or ""
        if failure.retry_at is not None and failure.status == "failed":
            self.retry_at = min(self.retry_at or failure.retry_at, failure.retry_at)
        if len(self.keys) < _SAMPLES:
            self.keys.append(failure.key)
        self.count += 1


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A place in the walk through what is not in order: behind this record."""

    layer: str
    scope: str
    status: str
    key: str = ""


class Page(NamedTuple):
    """Some records of one layer, scope and status, in the order of their keys."""

    layer: LayerDefinition
    scope: str
    failures: list[Failure]
    place: Place


class Walk:
    """What is not in order, from behind a place on: of all scopes of each layer, or of some; or only some keys of them.

    It asks bounded questions, one after the other: which are the next rows of an index that has nothing else. What is
    disabled or only observed stands in it too, and is passed over by asking behind it. After so many questions
    (`most_looks`) it ends, and is `cut` short.
    """

    def __init__(self, store: Store, definition: SyncDefinition, scopes: Mapping[str, Collection[str]] | None = None, *,
                 layer: str | None = None, keys: Collection[str] = (), after: Place | None = None,
                 most_looks: int | None = None) -> None:
        self._store = store
        self._scopes = scopes
        self._keys = sorted(keys)
        self._after = after
        self._left = most_looks
        self._layers = [each for each in definition.layers if layer in (None, each.name)]
        if after is not None and after.layer in (names := [each.name for each in self._layers]):
            self._layers = self._layers[names.index(after.layer):]
        self.cut = False

    def __iter__(self) -> Iterator[Page]:
        for layer in self._layers:
            at = ("", "", "")
            if self._after is not None and self._after.layer == layer.name:
                at = self._after.scope, self._after.status, self._after.key
            if self._scopes is None and not self._keys:
                yield from self._rows(layer, at, None)
                continue
            scopes = self._all_scopes(layer, at[0]) if self._scopes is None else sorted(self._scopes[layer.name])
            for scope in scopes:
                if scope >= at[0]:
                    yield from (self._named if self._keys else self._rows)(layer, max(at, (scope, "", "")), scope)

    def _rows(self, layer: LayerDefinition, at: tuple[str, str, str], only: str | None) -> Iterator[Page]:
        while rows := self._asked(layer, "failures_page", {"scope": at[0], "status": at[1], "key": at[2],
                                                               "count": _PAGE}):
            for (scope, status), group in groupby(rows, lambda row: row[:2]):
                if only not in (None, scope):
                    return
                if status in STATUSES:
                    page = _page(layer, scope, list(group))
                    at = scope, status, page.place.key
                    yield page
                else:
                    at = scope, status + _NEXT, ""
            if len(rows) < _PAGE:
                return

    def _named(self, layer: LayerDefinition, at: tuple[str, str, str], scope: str) -> Iterator[Page]:
        rows = self._asked(layer, "failures_named", {"scope": scope, "keys": self._keys})
        for (_, status), group in groupby(rows, lambda row: row[:2]):
            if status in STATUSES and (found := [row for row in group if (status, row[2]) > at[1:]]):
                yield _page(layer, scope, found)

    def _all_scopes(self, layer: LayerDefinition, scope: str) -> Iterator[str]:
        """Those from one on with anything in the index."""
        name = "failures_scope"
        while rows := self._asked(layer, name, {"scope": scope}):
            scope, name = rows[0][0], "failures_next_scope"
            yield scope

    def _asked(self, layer: LayerDefinition, name: str, params: dict[str, Any]) -> list[Row]:
        if self._left is not None:
            if not self._left:
                self.cut = True
                return []
            self._left -= 1
        return self._store.look(name, params, layer=layer.table)


def _page(layer: LayerDefinition, scope: str, rows: Sequence[Row]) -> Page:
    failures = [Failure(*row[1:]) for row in rows]
    return Page(layer, scope, failures, Place(layer.name, scope, failures[-1].status, failures[-1].key))


def scopes_of(definition: SyncDefinition, subjects: Sequence[Subject]) -> dict[str, list[str]] | None:
    """The scopes that some subjects have in each layer; None for no subjects: all that there are.

    An account-scoped layer's records belong to the account, so those of the subjects' accounts are given.
    """
    if not subjects:
        return None
    return {layer.name: sorted({layer.scope(each.key, each.account) for each in subjects})
            for layer in definition.layers}


class Classes(NamedTuple):
    """Classes of identical errors, of `counted` records; `more`: there are further ones."""

    classes: list[ErrorClass]
    counted: int
    more: bool


def error_classes(store: Store, definition: SyncDefinition, subjects: Sequence[Subject] = (), *, most: int,
                  most_looks: int | None = None) -> Classes:
    """What is wrong with the first `most` records of some subjects, else of all; the most frequent first."""
    found: dict[str, ErrorClass] = {}
    walk = Walk(store, definition, scopes_of(definition, subjects), most_looks=most_looks)
    counted, more = 0, False
    for page in walk:
        more = counted + len(page.failures) > most
        for failure in page.failures[:most - counted]:
            name = class_name(page.layer.name, failure)
            if name not in found and len(found) >= MOST_CLASSES:
                name = failure.code
            if name not in found:
                found[name] = ErrorClass(page.layer.name, name, failure.status, failure.error_class or "", "")
            found[name].add(failure)
            counted += 1
        if more:
            break
    return Classes(sorted(found.values(), key=lambda each: (-each.count, each.layer, each.name)), counted,
                   more or walk.cut)


def class_name(layer: str, failure: Failure) -> str:
    """The name of a record's class: its code, and a mark of its layer, state and message."""
    said = "\0".join((layer, failure.status, failure.code, pattern(failure.error or "", failure.key)))
    return f"{failure.code}-{blake2b(said.encode('utf-8', 'surrogatepass'), digest_size=3).hexdigest()}"
