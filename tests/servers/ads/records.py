"""What one customer's account holds, and how operations change it: no HTTP, no quotas, no faults.

A record has its parent as long as it lives: nothing is created under what is not there, and nothing is removed that
has children.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

KINDS: dict[str, str | None] = {"campaign": None, "ad_group": "campaign", "ad": "ad_group", "keyword": "ad_group"}
"""Each kind of record, with the kind of its parents."""

Undo = list[Callable[[], object]]


class Refused(Exception):
    """One operation cannot be carried out."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Record:
    """One record. `reference` is the client's own name for it, which need not be unique; `children` how many it has."""

    id: int
    kind: str
    parent: int | None
    reference: str | None
    fields: dict[str, Any]
    children: int = 0


class Kind:
    """The records of one kind, in the order of their ids, and by reference."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self._ids: list[int] = []  # with those that were removed: they are passed over
        self._named: dict[str, list[int]] = {}

    def add(self, record: Record) -> None:
        self.records[record.id] = record
        self._ids.append(record.id)
        self._name(record)

    def remove(self, record: Record) -> None:
        del self.records[record.id]
        self._unname(record)

    def restore(self, record: Record) -> None:
        """Take back a removal; its id still has its place."""
        self.records[record.id] = record
        self._name(record)

    def rename(self, record: Record, reference: str | None) -> None:
        self._unname(record)
        record.reference = reference
        self._name(record)

    def named(self, references: Sequence[str]) -> list[Record]:
        return [self.records[id] for reference in references for id in self._named.get(reference, ())]

    def page(self, after: int, count: int) -> list[Record]:
        """The next records with an id above `after`."""
        places = range(bisect_right(self._ids, after), len(self._ids))
        found = (self.records.get(self._ids[place]) for place in places)
        return list(islice((record for record in found if record is not None), count))

    def _name(self, record: Record) -> None:
        if record.reference is not None:
            self._named.setdefault(record.reference, []).append(record.id)

    def _unname(self, record: Record) -> None:
        if record.reference is not None:
            ids = self._named[record.reference]
            ids.remove(record.id)
            if not ids:
                del self._named[record.reference]


class Account:
    """What one customer has. Ids come from `ids`, which all customers share."""

    def __init__(self, ids: Iterator[int]) -> None:
        self.kinds = {kind: Kind() for kind in KINDS}
        self._ids = ids

    def create(self, kind: str, fields: dict[str, Any], parent: int | None, reference: str | None,
               undo: Undo | None) -> int:
        """Add a record under a parent that exists; gives its id. Raises `Refused`."""
        above = self._parent(kind, parent)
        record = Record(next(self._ids), kind, parent, reference, fields)
        self.kinds[kind].add(record)
        if above is not None:
            above.children += 1
        if undo is not None:
            undo.append(lambda: self._take_away(record))
        return record.id

    def update(self, kind: str, id: int | None, fields: dict[str, Any], parent: int | None, reference: str | None,
               undo: Undo | None) -> int:
        """Set the fields that are given, and leave the others; a parent moves it. Raises `Refused`."""
        record = self._found(kind, id)
        if undo is not None:
            old = (record.fields, record.parent, record.reference)
            undo.append(lambda: self._rewrite(record, *old))
        if parent is not None:
            self._parent(kind, parent)
        self._rewrite(record, {**record.fields, **fields}, record.parent if parent is None else parent,
                      record.reference if reference is None else reference)
        return record.id

    def remove(self, kind: str, id: int | None, undo: Undo | None) -> int:
        """Remove a record that has no children. Raises `Refused`."""
        record = self._found(kind, id)
        if record.children:
            raise Refused("HAS_CHILDREN", f"{kind} {id} has {record.children} children: remove them first")
        self._take_away(record)
        if undo is not None:
            undo.append(lambda: self._put_back(record))
        return record.id

    def _found(self, kind: str, id: int | None) -> Record:
        record = None if id is None else self.kinds[kind].records.get(id)
        if record is None:
            raise Refused("NOT_FOUND", f"there is no {kind} {id}")
        return record

    def _parent(self, kind: str, parent: int | None) -> Record | None:
        above = KINDS[kind]
        if above is None:
            if parent is not None:
                raise Refused("PARENT_NOT_ALLOWED", f"a {kind} has no parent, got {parent}")
            return None
        record = None if parent is None else self.kinds[above].records.get(parent)
        if record is None:
            raise Refused("PARENT_NOT_FOUND", f"there is no {above} {parent} to be the parent of this {kind}")
        return record

    def _above(self, record: Record) -> Record | None:
        above = KINDS[record.kind]
        return None if above is None or record.parent is None else self.kinds[above].records[record.parent]

    def _take_away(self, record: Record) -> None:
        above = self._above(record)
        if above is not None:
            above.children -= 1
        self.kinds[record.kind].remove(record)

    def _put_back(self, record: Record) -> None:
        above = self._above(record)
        if above is not None:
            above.children += 1
        self.kinds[record.kind].restore(record)

    def _rewrite(self, record: Record, fields: dict[str, Any], parent: int | None, reference: str | None) -> None:
        record.fields = fields
        if parent != record.parent:
            for count in (-1, 1):
                above = self._above(record)
                assert above is not None
                above.children += count
                record.parent = parent
        if reference != record.reference:
            self.kinds[record.kind].rename(record, reference)
