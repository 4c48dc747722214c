"""Applying a plan: what is blocked or cannot be sent is noted; creates, updates, and later deletes go in batches."""

from collections.abc import Iterator

from penstock.domain.records import ChangeKind, Counts, RecordState
from penstock.sync.doubt import Doubts
from penstock.sync.dropped import REBASE
from penstock.sync.plan import Item, LayerPlan, decode_item
from penstock.sync.ports import Run
from penstock.sync.sending import Sender
from penstock.sync.state import Mark
from penstock.sync.verbs import Verbs


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
        for batch in self._batches("create"):
            self._create(batch)
        for batch in self._batches("update"):
            self._sender.send(ChangeKind.UPDATE, "update", batch)
        for batch in self._batches(REBASE):
            marks = [Mark(item.key, RecordState.SYNCED, item.parent_key, item.remote_id, item.version, item.digest,
                          canonical=item.canonical) for item in batch]
            self._plan.state.save(marks, Counts(skipped=len(batch)))
        if self._plan.complete and self._plan.renderer != self._plan.renderer_kept and self._layer.field_digests:
            self._plan.state.save_renderer(self._run.subject.key, self._plan.renderer)

    def deletes(self) -> None:
        """Remove (or disable) what the source proved to be absent."""
        for batch in self._batches("delete"):
            unsent = [item for item in batch if item.remote_id is None and not item.in_doubt]
            self._plan.state.save([], Counts(deleted=len(unsent)), gone=[item.key for item in unsent])
            doubted = self._doubts.look_up([item for item in batch if item.in_doubt])
            self._plan.state.save([], Counts(deleted=len(doubted)), gone=[item.key for item in doubted])
            there = [item for item in batch if item.remote_id is not None]
            if there:
                self._sender.send(ChangeKind.DELETE, self._layer.on_delete, there)

    def _batches(self, kind: str) -> Iterator[list[Item]]:
        for entries in self._plan.spool.take(kind, self._layer.batch_size):
            self._run.check()
            yield [decode_item(item) for _, item in entries]

    def _note(self, kind: str, status: RecordState) -> None:
        for entries in self._plan.spool.take(kind):
            items = [decode_item(item) for _, item in entries]
            if kind == "duplicate":
                for item in items:
                    item.error_class, item.error = "duplicate_key", "the source has several records with this key"
                    self._plan.problem(f"several records with the key {item.key!r}; none of them is sent")
            marks = [Mark(item.key, status, item.parent_key, error_class=item.error_class, error=item.error)
                     for item in items]
            counts = Counts(blocked=len(items)) if status is RecordState.BLOCKED else Counts(failed=len(items))
            self._plan.state.save(marks, counts)

    def _create(self, batch: list[Item]) -> None:
        doubted = [item for item in batch if item.in_doubt]
        fresh = [item for item in batch if not item.in_doubt] + self._doubts.look_up(doubted)
        adopted = [item for item in doubted if item.remote_id is not None]
        if adopted:
            self._sender.send(ChangeKind.UPDATE, "update", adopted)
        if fresh:
            self._plan.state.save([self._doubts.intent(item) for item in fresh], Counts())
            self._sender.send(ChangeKind.CREATE, "create", fresh)
