"""From a change to the row that it asks for, and from a row's identity to the remote id and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from penstock.connectors.sql.layout import Layout
from penstock.connectors.sql.session import misfit
from penstock.connectors.sql.table import Table, bound
from penstock.connectors.sql.wording import did_you_mean
from penstock.domain.keys import compound
from penstock.domain.records import Change, Rejected
from penstock.store.statements import Dialect
from penstock.sync.declaring.ports import Run

Values = dict[str, Any]
"""Column to value, as it is bound."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Makes rows of one table for one run."""

    layout: Layout
    table: Table
    dialect: Dialect
    run: Run

    def row(self, change: Change) -> Values | Rejected:
        """All values that a change gives its row, its key among them. Raises `Unavailable` for what no table can take.

        A key column gets what a link or the payload says; a single one that neither fills, the record's own key.
        """
        layout = self.layout
        values = {**payload_of(change), **self.owner()}
        if layout.active is not None:
            values[layout.active] = True
        values |= self._links(change)
        if len(layout.key) == 1:
            values.setdefault(layout.key[0], change.key)
        missing = [name for name in layout.key if values.get(name) in (None, "")]
        if missing:
            return Rejected("key", f"the record gives no value for {' and '.join(missing)}, which identifies its row")
        return self.bind(values)

    def bind(self, values: Mapping[str, Any]) -> Values:
        return {name: bound(value, self.table.columns[name].kind, self.dialect) for name, value in values.items()}

    def dropped(self, change: Change) -> Values:
        """What an update empties: the fields that the payload had, and lacks now."""
        given = payload_of(change)
        taken = {name for _, name in self.layout.filled()}
        return {name: None for name in change.fields or ()
                if name not in given and name in self.table.columns and name not in {*taken, *self.layout.key}}

    def owner(self) -> Values:
        """The columns that say whose a row is."""
        said = ((self.layout.account, self.run.account), (self.layout.subject, self.run.subject.key))
        return {name: value for name, value in said if name is not None}

    def place(self, remote_id: str | None) -> Values | None:
        """The columns by which a row is found that has a remote id; None where it can be the id of none."""
        names = self.layout.identity(self.table)
        parts = parts_of(remote_id, len(names))
        return None if parts is None else {**dict(zip(names, parts, strict=True)), **self.owner()}

    def _links(self, change: Change) -> Values:
        layout, values = self.layout, {}
        if layout.parent is not None:
            if change.parent_id is None:
                raise misfit(f"SQLDestination for {layout} has a column for the parent ({layout.parent!r}), but its"
                             " layer has no parent. Declare one in the layer, or leave out parent=.")
            values[layout.parent] = change.parent_id
        if layout.references:
            if len(layout.references) != len(change.reference_ids):
                raise misfit(f"SQLDestination for {layout} has {len(layout.references)} columns for references, but its"
                             f" layer has {len(change.reference_ids)}. Name one column for each, in the layer's order.")
            values |= zip(layout.references, change.reference_ids, strict=True)
        return values


def payload_of(change: Change) -> Mapping[str, Any]:
    if change.payload is None:
        return {}
    if not isinstance(change.payload, Mapping):
        raise misfit("SQLDestination expects render to give a mapping from column to value, but got"
                     f" {type(change.payload).__name__} for {change.key!r}.")
    return change.payload


def unknown_columns(layout: Layout, table: Table, changes: Sequence[Change]) -> list[str]:
    """What the payloads of changes give that the table cannot take."""
    filled = {name: role for role, name in layout.filled()}
    if not layout.key:
        filled |= dict.fromkeys(table.primary, "remote id")
    faults = []
    for name in dict.fromkeys(name for change in changes for name in payload_of(change)):
        if name not in table.columns:
            faults.append(f"render gives {name!r}, but the table {layout} has only the columns"
                          f" {', '.join(table.columns)}.{did_you_mean(name, table.columns)}")
        elif name in filled:
            faults.append(f"render gives {name!r}, which SQLDestination fills itself ({filled[name]}). Leave it out.")
        elif table.columns[name].computed:
            faults.append(f"render gives {name!r}, which the database computes. Leave it out.")
    return faults


def remote_id_of(parts: Sequence[str]) -> str | None:
    """The remote id that texts of the identifying columns make: the text itself, or several as a JSON array."""
    return parts[0] if len(parts) == 1 else compound(parts)


def parts_of(remote_id: str | None, count: int) -> list[str] | None:
    if remote_id is None or count == 1:
        return None if remote_id is None else [remote_id]
    try:
        parts = msgspec.json.decode(remote_id, type=list[str])
    except msgspec.DecodeError:
        return None
    return parts if len(parts) == count else None

