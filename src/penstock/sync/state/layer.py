"""The state of one layer in one scope."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from operator import lt
from typing import Any

from penstock.domain.fields import field_digests
from penstock.domain.records import Counts
from penstock.store.port import Params, Row, Store, Transaction
from penstock.sync.state.fence import Fence, add_counts
from penstock.sync.state.rows import Held, KeptBucket, Mark
from penstock.sync.state.shapes import Shapes
from penstock.sync.state.tally import tally_text

_PAGE = 5000
_PAGES_APART = 8
"""For how many pages to ask by keys, after one whose keys lay too far apart to be read as one range."""
_ERROR_LENGTH = 500
_COLUMNS = ("key", "parent_key", "remote_id", "version", "digest", "status", "error_class", "error",
            "attempts", "wait_ms", "tried")


class LayerState:
    """Reads and writes the rows of one layer's table in one scope."""

    def __init__(self, store: Store, table: str, scope: str, fence: Fence | None, shapes: Shapes | None = None,
                 dependents: Mapping[str, str | None] | None = None, shared: bool = False, *,
                 field_digests: bool = True) -> None:
        """`dependents` are the tables of layers that refer to this one, each with the scope to look at (None: all).
        `shared` rows are those of an account-scoped layer, which subjects claim. Without `field_digests` only those of
        what the destination answered are kept.
        """
        self._store = store
        self._shapes = shapes
        self._field_digests = field_digests
        self._dependents = dependents or {}
        self._shared = int(shared)
        self._table = table
        self._scope = scope
        self._fence = fence
        self.identity = table
        """Of the table; it outlives a new name, and no other table has it ever again."""
        self.rekeyed = False
        self._stored_as: dict[str, str] = {}
        self._known_as: dict[str, str] = {}
        self._intent = 0
        self._intended: set[str] = set()
        self._scattered = False
        self._apart = 0
        self.tally: Callable[[Transaction, int], None] | None = None
        """Called in the transaction that saves deletes, with how many: see sync/deleting/withhold.py."""
        self.layer = ""
        """The name of the layer, by which a run's counts are told apart."""
        self.remembers_removed = False
        """Whether what is deleted is remembered: a source that looks at a snapshot may know of it yet."""

    @property
    def fenced(self) -> bool:
        """Whether a run writes here, and not a plan that only looks."""
        return self._fence is not None

    @property
    def scope(self) -> str:
        return self._scope

    def digests(self, keys: Sequence[str]) -> list[Row]:
        """(key, id, digest) of keys that have a row, the digest None unless the record is synced; maybe of others too.

        Keys in ascending order, as a keyset-paged source gives them, are read as one range, which costs half; unless
        they lie far apart, as those of a source do that tells what changed.
        """
        if not keys:
            return []
        if self._stored_as:
            keys = self._stored(keys)
        params: dict[str, Any] = {"scope": self._scope}
        if self._apart:
            self._apart -= 1
        elif all(map(lt, keys, islice(keys, 1, None))):
            most = 2 * len(keys)
            ends = {**params, "first": keys[0], "last": keys[-1], "count": most}
            rows = self._store.look("state_digests_between", ends, layer=self._table)
            if len(rows) < most:
                return self._named(rows) if self._stored_as else rows
            self._apart = _PAGES_APART
        params["keys"] = list(keys)
        rows = self._store.look("state_digests", params, layer=self._table)
        return self._named(rows) if self._stored_as else rows

    def look_up(self, keys: Sequence[str]) -> dict[str, Held]:
        """What is known of each of the keys that have a row."""
        params = {"scope": self._scope, "keys": self._stored(keys)}
        rows = self._store.read(lambda tx: tx.rows("state_lookup", params, layer=self._table))
        held = [Held(*row) for row in rows]
        return {self._known_as.get(row.key, row.key): row for row in held}

    def remote_ids(self, keys: Sequence[str]) -> dict[str, tuple[str | None, str]]:
        """Remote id and status of the keys that have a row; maybe of others too.

        Keys that lie together, as those of parents do where children are read in the same order, are read as one range.
        """
        keys = self._stored(keys) if self._stored_as else keys
        most = 2 * len(keys)
        rows: list[Row] | None = None
        if not self._scattered:
            ends = {"scope": self._scope, "first": min(keys), "last": max(keys), "count": most}
            rows = self._store.look("state_remote_ids_between", ends, layer=self._table)
            self._scattered = len(rows) == most
        if rows is None or self._scattered:
            rows = self._store.look("state_remote_ids", {"scope": self._scope, "keys": keys}, layer=self._table)
        return {key: (remote_id, status) for key, remote_id, status in (self._named(rows) if self._stored_as else rows)}

    def fields(self, keys: Sequence[str]) -> dict[str, Mapping[str, bytes]]:
        """The digests of the fields of what the destination has, by key and name; of the keys that have any."""
        shapes = self._shapes
        if shapes is None or not self._field_digests or not keys:
            return {}
        params = {"scope": self._scope, "keys": self._stored(keys)}
        rows = self._store.read(lambda tx: tx.rows("state_fields", params, layer=self._table))
        return {key: shapes.decoded(bytes(kept)) for key, kept in self._named(rows)}

    def rekey(self, keys: Mapping[str, str]) -> None:
        """Give rows other keys, from those that they have; where nothing may be written, only for who reads here."""
        self.rekeyed = True
        if self._fence is None:
            self._known_as.update(keys)
            self._stored_as.update(zip(keys.values(), keys, strict=True))
            return
        columns = {"scope": [self._scope] * len(keys), "was": list(keys), "key": list(keys.values())}
        self._write_many("rows_rekey", columns)

    def set_parents(self, parents: Mapping[str, str]) -> None:
        """Note the keys of parents, by the keys of the rows, where they differ."""
        columns = {"scope": [self._scope] * len(parents), "key": list(parents), "parent_key": list(parents.values())}
        self._write_many("rows_parent", columns)

    def _write_many(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        def work(tx: Transaction) -> None:
            if self._fence is not None:
                add_counts(tx, self._fence, Counts())
            tx.execute_many(name, columns, layer=self._table)

        self._store.write(work)

    def _stored(self, keys: Sequence[str]) -> list[str]:
        return [self._stored_as.get(key, key) for key in keys]

    def _named(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that begin with a key, with that by which who reads knows them."""
        return [(self._known_as.get(row[0], row[0]), *row[1:]) for row in rows]

    def decoded(self, kept: bytes | None) -> Mapping[str, bytes]:
        """The digests of fields, by name, that a column of this layer keeps; none where it keeps nothing."""
        return {} if self._shapes is None or kept is None else self._shapes.decoded(bytes(kept))

    def ask(self, name: str, params: Params) -> list[Row]:
        """The rows of a statement about this layer in this scope."""
        return self._store.read(lambda tx: tx.rows(name, self._placed(params), layer=self._table))

    def note(self, name: str, params: Params) -> None:
        """Carry out a statement about this layer in this scope, under the run's lease."""
        def work(tx: Transaction) -> None:
            if self._fence is not None:
                add_counts(tx, self._fence, Counts())
            tx.execute(name, self._placed(params), layer=self._table)

        self._store.write(work)

    def note_answers(self, name: str, answers: Mapping[str, Mapping[str, bytes]]) -> None:
        """Carry out a statement that keeps what the destination holds, by key, under the run's lease."""
        columns: dict[str, list[Any]] = {"key": list(answers), "scope": [self._scope] * len(answers)}

        def work(tx: Transaction) -> None:
            if self._fence is not None:
                add_counts(tx, self._fence, Counts())
            kept = self._shapes.encoded(tx, answers.values()) if self._shapes else [None] * len(answers)
            tx.execute_many(name, {**columns, "answered": kept}, layer=self._table)

        self._store.write(work)
        if self._shapes:
            self._shapes.committed()

    def _placed(self, params: Params) -> Params:
        return {"layer_table": self._table, "scope": self._scope, **params}

    def buckets(self, subject: str) -> list[KeptBucket]:
        """What is kept of the buckets of a subject's source, the first first."""
        params = {"layer_table": self._table, "scope": self._scope, "subject": subject}
        rows = self._store.read(lambda tx: tx.rows("buckets", params))
        return sorted(KeptBucket(number, lower, count, None if digest is None else bytes(digest), version)
                      for number, lower, count, digest, version in rows)

    def save_buckets(self, subject: str, kept: Sequence[KeptBucket], *, anew: bool) -> None:
        """Keep some buckets of a subject's source; `anew` forgets the others."""
        place = {"layer_table": self._table, "scope": self._scope, "subject": subject}
        columns: dict[str, list[Any]] = {name: [value] * len(kept) for name, value in place.items()}
        columns |= {"number": [each.number for each in kept], "lower": [each.lower for each in kept],
                    "row_count": [each.rows for each in kept], "digest": [each.digest for each in kept],
                    "version": [each.version for each in kept]}

        def work(tx: Transaction) -> None:
            if self._fence is not None:
                add_counts(tx, self._fence, Counts())
            if anew:
                tx.execute("buckets_remove", place)
            tx.execute_many("bucket_save", columns)

        self._store.write(work)

    def live_count(self) -> int:
        """How many rows are to be at the destination."""
        row = self._store.read(lambda tx: tx.row("state_live_count", {"scope": self._scope}, layer=self._table))
        return int(row[0]) if row else 0

    def held(self, remote_ids: Sequence[str]) -> set[str]:
        """Those of the remote ids that some row of this layer, of any scope, holds."""
        params = {"remote_ids": list(remote_ids)}
        return {row[0] for row in self._store.read(lambda tx: tx.rows("state_taken", params, layer=self._table))}

    def count(self, *, observed: bool) -> int:
        """How many rows there are; without those that were only `observed`, if so asked."""
        params = {"scope": self._scope, "observed": int(observed)}
        row = self._store.read(lambda tx: tx.row("state_count", params, layer=self._table))
        return int(row[0]) if row else 0

    def managed_before(self) -> bool:
        """Whether an earlier run sent, or adopted, anything here."""
        params = {"scope": self._scope, "run_id": self._fence.run_id if self._fence else 0}
        row = self._store.read(lambda tx: tx.row("managed_before", params, layer=self._table))
        return bool(row and row[0])

    def pages(self) -> Iterator[list[Row]]:
        """Every row as (id, key), by key, a page at a time."""
        after = ""
        while rows := self._page(after):
            after = rows[-1][1]
            yield rows

    def _page(self, after: str) -> list[Row]:
        params = {"scope": self._scope, "after": after, "count": _PAGE}
        return self._store.look("state_page", params, layer=self._table)

    def rows(self, keys: Sequence[str]) -> list[Row]:
        """The rows of keys as (id, key, parent key, remote id, version, status), by key."""
        params = {"scope": self._scope, "keys": list(keys)}
        return self._store.look("state_of_keys", params, layer=self._table)

    def intend(self, intended: Sequence[str], entries: str, wait_ms: int, marks: Sequence[Mark]) -> None:
        """Note in one row that these keys, which have none, are about to be created; and save `marks` with it.

        The note goes with the save that has the last of their outcomes.
        """
        params = {"run_id": self._fence.run_id if self._fence else 0, "entries": entries, "wait_ms": wait_ms}

        def note(tx: Transaction) -> None:
            row = tx.row("intend", self._placed(params))
            assert row is not None
            self._intent, self._intended = row[0], set(intended)

        self._save(marks, Counts(), (), note)

    def abandoned(self) -> list[Row]:
        """Notes of attempts that are over: their id, entries, and for how long nobody may be believed to be absent."""
        return self.ask("intents_abandoned", {"run_id": self._fence.run_id if self._fence else 0})

    def give_up(self, intent: int, marks: Sequence[Mark]) -> None:
        """Save marks in place of such a note."""
        self._save(marks, Counts(), (), lambda tx: tx.execute("intent_remove", {"id": intent}))

    def save(self, marks: Sequence[Mark], counts: Counts, gone: Sequence[str] = (),
             unobserved: Sequence[str] = ()) -> None:
        """Save marks, forget the keys in `gone`, and add `counts` to the run, all or nothing.

        `unobserved` are keys of rows that were only observed, and are another's now.

        Raises `StaleLease` if the run belongs to somebody else by now.
        """
        left = self._intended.difference((mark.key for mark in marks), gone) if self._intended else self._intended
        answered = self._intent if self._intended and not left else None

        def last(tx: Transaction) -> None:
            if answered is not None:
                tx.execute("intent_remove", {"id": answered})
            if unobserved:
                tx.execute("state_remove", {"scope": self._scope, "keys": list(unobserved)}, layer=self._table)

        self._save(marks, counts, gone, last)
        self._intended = left

    def _save(self, marks: Sequence[Mark], counts: Counts, gone: Sequence[str],
              also: Callable[[Transaction], object]) -> None:
        columns: dict[str, list[Any]] = {name: [getattr(mark, name) for mark in marks] for name in _COLUMNS}
        columns["error"] = [text and text[:_ERROR_LENGTH].replace("\0", "") for text in columns["error"]]
        columns["scope"] = [self._scope] * len(marks)
        columns["shared"] = [self._shared] * len(marks)
        columns["run_id"] = [self._fence.run_id if self._fence else None] * len(marks)

        layers = self._fence.tally.added(self.layer, counts) if self._fence is not None else None

        def work(tx: Transaction) -> None:
            if self._fence is not None:
                add_counts(tx, self._fence, counts, None if layers is None else tally_text(layers))
            also(tx)
            if self.remembers_removed and counts.deleted and gone:
                tx.execute("removed_note", self._placed({"keys": list(gone)}))
            if self.tally is not None and counts.deleted:
                self.tally(tx, counts.deleted)
            if marks:
                columns["fields"], columns["answered"] = self._digests(tx, marks)
                tx.execute_many("state_settle", columns, layer=self._table)
            if gone:
                tx.execute("state_remove", {"scope": self._scope, "keys": list(gone)}, layer=self._table)
                self._forget_dependents(tx)

        self._store.write(work)
        if self._fence is not None and layers is not None:
            self._fence.tally.kept(layers)
        if self._shapes:
            self._shapes.committed()

    def _digests(self, tx: Transaction, marks: Sequence[Mark]) -> tuple[list[bytes | None], list[bytes | None]]:
        """What is kept of the fields of each: of what was sent, and of what was answered."""
        if self._shapes is None:
            return [None] * len(marks), [None] * len(marks)
        sent = [field_digests(mark.canonical) if self._field_digests and mark.canonical is not None else None
                for mark in marks]
        both = self._shapes.encoded(tx, [*sent, *(mark.answered for mark in marks)])
        return both[:len(marks)], both[len(marks):]

    def _forget_dependents(self, tx: Transaction) -> None:
        """Have all records of the layers that refer to this one read again."""
        for table, scope in self._dependents.items():
            for name in ("buckets_forget", "cursors_forget"):
                tx.execute(name, {"layer_tables": [table], "scope": scope})
