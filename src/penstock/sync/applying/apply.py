"""Applying a plan: what is blocked or cannot be sent is noted; creates, updates, and later deletes go in batches."""

from collections.abc import Iterator

from penstock.domain.records import ChangeKind, Counts, RecordState
from penstock.sync.applying.doubt import Doubts
from penstock.sync.applying.sending import Sender
from penstock.sync.declaring.ports import Run
from penstock.sync.deleting.layer_removal import LayerRemoval
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.dropped import REBASE
from penstock.sync.planning.plan import (
    ADOPT,
    AMBIGUOUS,
    MATCH,
    MATCHED,
    NEVER_SENT,
    WAITING,
    Item,
    LayerPlan,
    decode_item,
)
from penstock.sync.state.rows import Mark


class Applier:
    """Applies one layer's plan."""

    def __init__(self, plan: LayerPlan, run: Run, verbs: Verbs) -> None:
        self._plan = plan
        self._layer = plan.layer
        self._run = run
        self._sender = Sender(plan, run, verbs)
        self._doubts = Doubts(plan, verbs)

    def upserts(self) -> None:
        """Send creates and updates; note what is blocked or cannot be sent."""
        self._run.held = self._plan.state.held
        self._plan.state.save([], self._plan.counts)
        self._note("blocked", RecordState.BLOCKED)
        self._note("failed", RecordState.FAILED)
        self._note("duplicate", RecordState.FAILED)
        if waiting := self._plan.spool.counts().get(WAITING, 0):
            self._plan.state.save([], Counts(failed=waiting))
        self._note(AMBIGUOUS, RecordState.IN_DOUBT)
        for kind in (MATCHED, MATCH):
            for batch in self._batches(kind):
                self._take_over(batch, alike=kind == MATCHED)
        for retried in (True, False) if self._plan.retried else (None,):  # what failed before goes first
            for batch in self._batches("create", retried):
                self._create(batch)
            for batch in self._batches("update", retried):
                self._sender.send(ChangeKind.UPDATE, "update", batch)
        for batch in self._batches(ADOPT):
            found = self._doubts.present(batch)
            self._adopt(found)
            self._plan.state.save([], Counts(skipped=len(batch) - len(found)))
        for batch in self._batches(REBASE):
            marks = [Mark(item.key, RecordState.SYNCED, item.parent_key, item.remote_id, item.version, item.digest,
                          canonical=item.canonical) for item in batch]
            self._plan.state.save(marks, Counts(skipped=len(batch)))
        for save in self._plan.after_upserts:
            save()

    def deletes(self, removal: LayerRemoval) -> None:
        """Remove (or disable) what the source proved to be absent, as far as it may go."""
        for unsent in removal.never_sent():
            self._run.check()
            self._plan.state.save([], Counts(deleted=len(unsent)), gone=[item.key for item in unsent])
        elsewhere: set[str] | None = None
        for batch, approved in removal.batches(self._layer.batch_size):
            self._run.check()
            if elsewhere is None:
                elsewhere = removal.held_elsewhere()
            if left := [item.key for item in batch if item.key in elsewhere]:
                self._plan.state.save([], Counts(skipped=len(left)), gone=left)
                batch = [item for item in batch if item.key not in elsewhere]
            doubted = self._doubts.look_up_absent([item for item in batch if item.in_doubt])
            if doubted:
                self._plan.state.save([], Counts(deleted=len(doubted)), gone=[item.key for item in doubted])
            there = self._due([item for item in batch if item.remote_id is not None])
            if there:
                with removal.counted(approved):
                    self._sender.send(ChangeKind.DELETE, self._layer.on_delete, there)
        removal.carried_out()

    def _due(self, batch: list[Item]) -> list[Item]:
        """Without those whose delete was refused, until their time has come; the others with their attempts."""
        rows = self._plan.state.look_up([item.key for item in batch]) if batch else {}
        waiting = set()
        for item in batch:
            row = rows.get(item.key)
            if row is not None and row.status == RecordState.FAILED and row.tried is None:  # its last change was this
                item.attempts = row.attempts or 0
                if (row.wait_ms or 0) > 0:
                    waiting.add(item.key)
        if waiting:
            self._plan.state.save([], Counts(failed=len(waiting)))
        return [item for item in batch if item.key not in waiting]

    def _batches(self, kind: str, retried: bool | None = None) -> Iterator[list[Item]]:
        """Batches of one kind; only of those that failed or were lost before, or only of the others, if asked for.

        None has more than a call may have; what is larger than that alone is a batch of its own.
        """
        most = self._layer.batch_bytes
        batch: list[Item] = []
        size = 0
        for entries in self._plan.spool.take(kind, self._layer.batch_size):
            for _, encoded in entries:
                item = decode_item(encoded)
                if retried is not None and retried != bool(item.attempts or item.in_doubt):
                    continue
                size += len(item.canonical)
                if batch and (len(batch) == self._layer.batch_size or (most is not None and size > most)):
                    self._run.check()
                    yield batch
                    batch, size = [], len(item.canonical)
                batch.append(item)
        if batch:
            self._run.check()
            yield batch

    def _note(self, kind: str, status: RecordState) -> None:
        for entries in self._plan.spool.take(kind):
            items = [decode_item(item) for _, item in entries]
            if kind == "duplicate":
                for item in items:
                    item.error_class, item.error = "duplicate_key", "the source has several records with this key"
                    self._plan.problem(f"several records with the key {item.key!r}; none of them is sent")
            in_doubt = self._in_doubt(items) if status is RecordState.FAILED else set()
            marks = [Mark(item.key, status, item.parent_key, error_class=item.error_class, error=item.error,
                          tried=NEVER_SENT if kind == AMBIGUOUS else None)
                     for item in items if not item.noted and item.key not in in_doubt]
            counts = Counts(blocked=len(items)) if status is RecordState.BLOCKED else Counts(failed=len(items))
            self._plan.state.save(marks, counts)

    def _in_doubt(self, items: list[Item]) -> set[str]:
        """Those that are to be looked up before they are sent again, whatever is wrong with them now."""
        rows = self._plan.state.look_up([item.key for item in items])
        return {key for key, row in rows.items() if row.status == RecordState.IN_DOUBT and row.remote_id is None}

    def _create(self, batch: list[Item]) -> None:
        doubted = [item for item in batch if item.in_doubt]
        fresh = [item for item in batch if not item.in_doubt] + self._doubts.look_up(doubted)
        self._adopt([item for item in doubted if item.remote_id is not None])
        fresh = self._sender.fitting(ChangeKind.CREATE, fresh)  # what is not sent needs no intent
        if fresh:
            self._doubts.record(fresh)
            self._adopt(self._doubts.existing(self._sender.send(ChangeKind.CREATE, "create", fresh)))

    def _take_over(self, batch: list[Item], *, alike: bool) -> None:
        """Make observed records ours, in one write, and then what the source says, unless they are `alike` already."""
        held = self._plan.state.held([str(item.remote_id) for item in batch])
        others = [item for item in batch if item.remote_id in held]  # another subject has adopted it meanwhile
        found = [item for item in batch if item.remote_id not in held]
        changes = self._layer.mode != "create_only"
        known = alike and changes
        marks = [Mark(item.key, RecordState.SYNCED, item.parent_key, item.remote_id, answered=item.answered,
                      digest=item.digest if known else None, canonical=item.canonical if known else None)
                 for item in found]
        sent = found if changes and not alike else []
        self._plan.state.save(marks, Counts(skipped=len(found) - len(sent)),
                              unobserved=[item.observed for item in batch if item.observed])
        if sent:
            self._sender.send(ChangeKind.UPDATE, "update", sent)
        if others and self._layer.mode != "update_only":
            for item in others:
                item.remote_id = item.answered = None
            self._create(others)

    def _adopt(self, found: list[Item]) -> None:
        """Make records that the destination has already what the source says, unless the layer changes nothing."""
        if found and self._plan.matches is not None:
            self._plan.state.note("observed_adopt", {"remote_ids": [str(item.remote_id) for item in found]})
        if found and self._layer.mode != "create_only":
            self._sender.send(ChangeKind.UPDATE, "update", found)
        elif found:
            marks = [Mark(item.key, RecordState.SYNCED, item.parent_key, item.remote_id) for item in found]
            self._plan.state.save(marks, Counts(skipped=len(found)))
