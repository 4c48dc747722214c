"""State surgery: what the state of a layer says is shown, and changed by hand.

A window writes what it has read and sent, so it must not write over what a person says meanwhile. A change is one
transaction: it keeps runs from being made, admitted and begun, looks whether a window is at work in the scope, and
refuses if one is. What waits is no matter, since a window reads the state after it has begun. What tells a run which
records it need not read (buckets, cursors) is forgotten with every change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from penstock.domain.errors import RunAtWork, SurgeryRefused
from penstock.store.port import Store, Transaction
from penstock.sync.applying.doubt import FORGOTTEN
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition

_PAGE = 500


class StateRow(msgspec.Struct, frozen=True):
    """One row of a layer's state, as people and programs read it. Times are in milliseconds since 1970, UTC.

    `sent`: whether it is known what the destination has. `run_id`: the run that changed it last; None: a person.
    """

    layer: str
    scope: str
    key: str
    parent_key: str | None
    remote_id: str | None
    status: str
    error_class: str | None
    error: str | None
    attempts: int | None
    retry_at: int | None
    changed_at: int
    run_id: int | None
    sent: bool
    unclaimed_at: int | None


class Found(NamedTuple):
    """A row that is to be changed."""

    id: int
    scope: str
    key: str
    remote_id: str | None
    status: str


def show(store: Store, layer: LayerDefinition, *, scope: str | None = None, status: str | None = None,
         after: tuple[str, str] = ("", "")) -> Iterator[list[StateRow]]:
    """The rows of a layer in pages, by scope and key, from after a (scope, key) on."""
    while True:
        name = "state_rows" if scope is None else "state_rows_of"
        params = {"scope": scope, "after_scope": after[0], "after_key": after[1], "status": status, "count": _PAGE}
        found = store.read(lambda tx, n=name, p=params: tx.rows(n, p, layer=layer.table))  # type: ignore[misc]
        rows = [StateRow(*(layer.name, *row[:11], bool(row[11]), row[12])) for row in found]
        if not rows:
            return
        after = (rows[-1].scope, rows[-1].key)
        yield rows


@dataclass(frozen=True, slots=True)
class Surgery:
    """Changes the state of one layer. `scope` is a subject's key, or an account where the layer's scope is that.

    Every change raises `RunAtWork` while a window is at work in the scope, and `SurgeryRefused` where it contradicts
    what is there; then nothing is changed.
    """

    store: Store
    definition: SyncDefinition
    layer: LayerDefinition

    def find(self, keys: Sequence[str], scope: str | None = None) -> list[Found]:
        """The row of each key, in any scope unless one is given.

        Raises `SurgeryRefused` where a key has no row, or rows in several scopes.
        """
        rows = self.store.read(lambda tx: self._rows(tx, keys, scope))
        found: dict[str, Found] = {}
        for row in rows:
            if row.key in found:
                raise SurgeryRefused(f"{self.layer.name} {row.key!r} is in several scopes ({found[row.key].scope},"
                                     f" {row.scope}): say which with --{self._scoped}")
            found[row.key] = row
        if missing := [key for key in dict.fromkeys(keys) if key not in found]:
            where = "" if scope is None else f" of {self._scoped} {scope}"
            raise SurgeryRefused(f"the state of {self.layer.name}{where} has no {', '.join(map(repr, missing))}: look"
                                 f" at `penstock state show {self.definition.name} --layer {self.layer.name}`")
        return [found[key] for key in dict.fromkeys(keys)]

    @property
    def looks_up(self) -> bool:
        """Whether a record that was forgotten is looked up before it is created."""
        return self.layer.verb("find") is not None or self.layer.declares("idempotent")

    def forget(self, scope: str, keys: Sequence[str], *, anew: bool = False) -> None:
        """No longer know which remote records these are. The next run looks them up, and creates what is not there.

        `anew` (and a layer that cannot look up): it creates them. What the source has no more is left alone.
        """
        def work(tx: Transaction) -> None:
            self._guard(tx, scope)
            for row in self._rows(tx, keys, scope):
                if self.looks_up and not anew:
                    tx.execute("row_forget", {"id": row.id, "error_class": FORGOTTEN}, layer=self.layer.table)
                else:
                    tx.execute("row_remove", {"id": row.id}, layer=self.layer.table)
                    self._drop_claims(tx, row.id)
            self._reread(tx, scope)

        self.store.write(work)

    def adopt(self, scope: str, key: str, remote_id: str) -> None:
        """Say that a record is this one at the destination. The next run updates it."""
        def work(tx: Transaction) -> None:
            self._guard(tx, scope)
            for _, other_scope, other_key in tx.rows("state_taken", {"remote_ids": [remote_id]},
                                                     layer=self.layer.table):
                if (other_scope, other_key) != (scope, key):
                    raise SurgeryRefused(f"{self.layer.name} {other_key!r} of {self._scoped} {other_scope} holds the"
                                         f" remote id {remote_id!r}: forget it first if that is wrong")
            tx.execute("observed_adopt", {"scope": scope, "remote_ids": [remote_id]}, layer=self.layer.table)
            tx.execute("row_adopt", {"scope": scope, "key": key, "remote_id": remote_id}, layer=self.layer.table)
            self._reread(tx, scope)

        self.store.write(work)

    def move(self, scope: str, key: str, *, to_scope: str | None = None, to_key: str | None = None) -> None:
        """Say that a record has another key, or belongs to another subject (or account); it stays the same remotely."""
        new_scope, new_key = to_scope or scope, to_key or key

        def work(tx: Transaction) -> None:
            for each in dict.fromkeys((scope, new_scope)):
                self._guard(tx, each)
            rows = self._rows(tx, [key], scope)
            if not rows or (scope, key) == (new_scope, new_key):
                raise SurgeryRefused(f"{self.layer.name}: expected a record of {self._scoped} {scope} and a new key or"
                                     f" scope for it, got {key!r}")
            if there := self._rows(tx, [new_key], new_scope):
                raise SurgeryRefused(f"{self.layer.name} {new_key!r} of {self._scoped} {new_scope} is there already"
                                     f" ({there[0].status}, remote id {there[0].remote_id}): a move would lose it")
            tx.execute("row_move", {"id": rows[0].id, "to_scope": new_scope, "to_key": new_key},
                       layer=self.layer.table)
            if new_scope != scope:
                self._drop_claims(tx, rows[0].id)
            for child in self._children():
                tx.execute("rows_reparent", {"scope": scope, "key": key, "to_key": new_key}, layer=child.table)
            for each in dict.fromkeys((scope, new_scope)):
                self._reread(tx, each)

        self.store.write(work)

    @property
    def _scoped(self) -> str:
        return "account" if self.layer.account_scoped else "subject"

    def _rows(self, tx: Transaction, keys: Sequence[str], scope: str | None) -> list[Found]:
        params = {"keys": list(dict.fromkeys(keys)), "scope": scope}
        return [Found(*row) for row in tx.rows("rows_with_keys", params, layer=self.layer.table)]

    def _guard(self, tx: Transaction, scope: str) -> None:
        """Let no window begin in the scope before the commit; raise `RunAtWork` if one has."""
        tx.rows("lock_admission")
        whose = {"sync": self.definition.name, "subject": None, "account": None, self._scoped: scope}
        for id, subject, at_work in tx.rows("runs_at_work", whose):
            if at_work:
                raise RunAtWork(f"run {id} of {subject} is at work on {self._scoped} {scope}: expected none, since it"
                                " would write over the change; try again when it has ended, or let the command wait"
                                " for that with --wait SECONDS")

    def _drop_claims(self, tx: Transaction, id: int) -> None:
        if self.layer.account_scoped:
            tx.execute("row_unclaim_all", {"id": id}, layer=self.layer.table)

    def _children(self) -> list[LayerDefinition]:
        """The layers whose rows name this layer's keys as their parents', in the same scope."""
        return [child for child in self.definition.layers
                if child.parent is not None and child.parent.target == self.layer.name
                and child.account_scoped == self.layer.account_scoped]

    def _reread(self, tx: Transaction, scope: str) -> None:
        """Have the next run read these records, and those that refer to them, whether or not the source changed."""
        dependents = [each for each in self.definition.layers if self.layer.name in each.targets]
        alike = [each.table for each in dependents if each.account_scoped == self.layer.account_scoped]
        others = [each.table for each in dependents if each.account_scoped != self.layer.account_scoped]
        for tables, where in (([self.layer.table, *alike], scope), (others, None)):
            if tables:
                tx.execute("buckets_forget", {"layer_tables": tables, "scope": where})
                tx.execute("cursors_forget", {"layer_tables": tables, "scope": where})
