"""Records that failed, are blocked or in doubt, a page at a time: found by subject, state, class and how a key begins.

The index of what is not in order is walked from place to place: what is not asked for is passed over by going on behind
it. A page looks at a bounded number of places, however many records there are, and says where the next one begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from penstock.domain.errors import ConfigurationError
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.state.failures import Failure, class_name
from penstock.sync.surgery import StateRow

STATUSES = ("blocked", "failed", "in_doubt")
_PLACES = 40
_ROWS = 200
_NEXT = "\x01"
"""What comes right behind a text: no text that the store holds has a NUL."""

Place = tuple[str, str, str]
"""Scope, status and key of a row, from which (itself included) the index is walked on."""


class FailingRecord(msgspec.Struct, frozen=True):
    """One record that is not in order. `subject` is that of the run which met it last, where that is known."""

    row: StateRow
    error_class: str
    subject: str | None = None


class FailingPage(msgspec.Struct, frozen=True):
    """A page of them. `next` is where the next one begins, None where there is none; `looked` says that the page ends
    there since it had looked at enough."""

    records: list[FailingRecord]
    next: str | None = None
    looked: bool = False


@dataclass(slots=True)
class Wanted:
    """What is looked for: of one scope of each layer (a layer that is absent here has none), else of all."""

    statuses: Sequence[str] = STATUSES
    begins: str = ""
    error_class: str | None = None
    scopes: dict[str, str] | None = None

    def place(self, layer: LayerDefinition) -> Place:
        return ("" if self.scopes is None else self.scopes[layer.name], "", "")

    def behind(self, place: Place) -> Place | None:
        """Where to go on, if a row is not wanted for where it stands; None if it is."""
        scope, status, key = place
        if status in self.statuses:
            if key.startswith(self.begins):
                return None
            if key < self.begins:
                return scope, status, self.begins
        later = [each for each in self.statuses if each > status]
        return (scope, later[0], self.begins) if later else (scope + _NEXT, "", "")


@dataclass(slots=True)
class _Walk:
    found: list[FailingRecord] = field(default_factory=list)
    places: int = field(default_factory=lambda: _PLACES)


def failing(store: Store, definition: SyncDefinition, wanted: Wanted, *, layer: str | None = None,
            after: str | None = None, count: int = 50) -> FailingPage:
    """A page of records that are not in order, with the subjects of the runs that met them.

    Raises `ConfigurationError` for an `after` that no page gave.
    """
    layers = [each for each in definition.layers if layer in (None, each.name)]
    start = _read(after)
    if start is not None:
        layers = layers[next((number for number, each in enumerate(layers) if each.name == start[0]), len(layers)):]
    walk = _Walk()
    for each in layers:
        place: Place | None = start[1] if start is not None and start[0] == each.name else wanted.place(each)
        while place is not None:
            if walk.places <= 0 or len(walk.found) >= count:
                next_ = msgspec.json.encode((each.name, place)).decode()
                return FailingPage(_with_subjects(store, walk.found), next_,
                                   len(walk.found) < count)
            place = _step(store, each, wanted, place, walk, count)
    return FailingPage(_with_subjects(store, walk.found))


def _failure(row: StateRow) -> Failure:
    return Failure(row.status, row.key, row.error_class, row.error, row.attempts, row.retry_at, row.changed_at)


def _step(store: Store, layer: LayerDefinition, wanted: Wanted, place: Place, walk: _Walk, count: int) -> Place | None:
    """Read on from a place; return where to go on, None at the end."""
    walk.places -= 1
    params = {"scope": place[0], "status": place[1], "key": place[2], "count": _ROWS}
    rows = store.look("failing_rows", params, layer=layer.table)
    behind: Place | None = None
    for found in rows:
        place = found[0], found[4], found[1]
        if behind is not None and place < behind:
            continue  # it has been read already: to ask from behind it would cost more
        if wanted.scopes is not None and place[0] != wanted.scopes[layer.name]:
            return None
        if (behind := wanted.behind(place)) is not None:
            continue
        row = StateRow(*(layer.name, *found[:11], bool(found[11]), found[12]))
        failure = _failure(row)
        name = class_name(layer.name, failure)
        if wanted.error_class in (None, name, failure.code, row.error_class):
            walk.found.append(FailingRecord(row, name))
        if len(walk.found) >= count:
            return place[0], place[1], place[2] + _NEXT
    if len(rows) < _ROWS:
        return None
    return behind or (place[0], place[1], place[2] + _NEXT)


def _with_subjects(store: Store, found: list[FailingRecord]) -> list[FailingRecord]:
    ids = sorted({each.row.run_id for each in found if each.row.run_id is not None})
    subjects: dict[int | None, str] = dict(store.look("runs_subjects", {"ids": ids})) if ids else {}
    return [msgspec.structs.replace(each, subject=subjects.get(each.row.run_id)) for each in found]


def _read(after: str | None) -> tuple[str, Place] | None:
    if not after:
        return None
    try:
        return msgspec.json.decode(after, type=tuple[str, Place])
    except msgspec.DecodeError:
        raise ConfigurationError(f"after: expected the place that the last page gave, got {after!r}") from None
