"""Applying a plan: changes in batches, outcomes saved as they arrive.

The digest of a record is saved with its outcome, never before. A create is recorded as in doubt before it is
sent; whatever happens to the answer, it is looked up before it is sent again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from penstock.domain.errors import DestinationError, StaleLease, Stopping, Throttled, Unavailable
from penstock.domain.records import GONE, ChangeKind, Counts, Done, Outcome, RecordState, Rejected
from penstock.sync.plan import Item, LayerPlan, decode_item
from penstock.sync.ports import Run
from penstock.sync.state import Mark
from penstock.sync.verbs import Verbs


class Applier:
    """Applies one layer's plan."""

    def __init__(self, plan: LayerPlan, run: Run, verbs: Verbs) -> None:
        self._plan = plan
        self._layer = plan.layer
        self._run = run
        self._verbs = verbs

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
            self._send(ChangeKind.UPDATE, "update", batch)

    def deletes(self) -> None:
        """Remove (or disable) what the source proved to be absent."""
        for batch in self._batches("delete"):
            unsent = [item for item in batch if item.remote_id is None and not item.in_doubt]
            self._plan.state.save([], Counts(deleted=len(unsent)), gone=[item.key for item in unsent])
            doubted = self._look_up([item for item in batch if item.in_doubt])
            self._plan.state.save([], Counts(deleted=len(doubted)), gone=[item.key for item in doubted])
            there = [item for item in batch if item.remote_id is not None]
            if there:
                self._send(ChangeKind.DELETE, self._layer.on_delete, there)

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
        fresh = [item for item in batch if not item.in_doubt] + self._look_up(doubted)
        adopted = [item for item in doubted if item.remote_id is not None]
        if adopted:
            self._send(ChangeKind.UPDATE, "update", adopted)
        if fresh:
            self._plan.state.save([self._intent(item) for item in fresh], Counts())
            self._send(ChangeKind.CREATE, "create", fresh)

    def _intent(self, item: Item) -> Mark:
        """What is noted before a create is sent; with its remote id, where that is known without an answer."""
        identify = getattr(self._layer.layer.destination, "identify", None)
        remote_id = identify(item.change(ChangeKind.CREATE)) if identify is not None else None
        return Mark(item.key, RecordState.IN_DOUBT, item.parent_key, remote_id)

    def _look_up(self, doubted: list[Item]) -> list[Item]:
        """Find out what became of creates whose answer was lost; return those that surely never happened.

        What was found once, and is held by no other row, gets its remote id. What is found more than once, or
        cannot be looked up, stays in doubt for a person.
        """
        if not doubted:
            return []
        if getattr(self._layer.layer.destination, "idempotent", False):
            return doubted
        if self._layer.verb("find") is None:
            self._doubtful(doubted, "no_lookup", "its create was not answered, and the layer has no find")
            return []
        values = [item.match or item.key for item in doubted]
        found = self._verbs.find(self._layer, values)
        held = self._plan.state.held([remote_id for ids in found.values() for remote_id in ids])
        wanted = Counter(remote_id for value in values for remote_id in found.get(value, []))
        absent, unclear = [], []
        for item, value in zip(doubted, values, strict=True):
            ids = found.get(value, [])
            if not ids:
                absent.append(item)
            elif len(ids) == 1 and ids[0] not in held and wanted[ids[0]] == 1:
                item.remote_id = ids[0]
            else:
                unclear.append(item)
        self._doubtful(unclear, "ambiguous", "its create was not answered; what matches it is several, or taken")
        return absent

    def _doubtful(self, items: Sequence[Item], error_class: str, error: str) -> None:
        if items:
            marks = [Mark(item.key, RecordState.IN_DOUBT, item.parent_key, error_class=error_class, error=error)
                     for item in items]
            self._plan.state.save(marks, Counts(failed=len(items)))

    def _send(self, kind: ChangeKind, verb: str, batch: list[Item]) -> None:
        self._run.check()
        try:
            outcomes = self._verbs.call(self._layer, verb, [item.change(kind) for item in batch])
        except (StaleLease, Stopping):
            raise
        except Exception as error:
            self._call_failed(kind, batch, error)
            raise
        self._save(kind, batch, outcomes)

    def _call_failed(self, kind: ChangeKind, batch: list[Item], error: Exception) -> None:
        """Save what the call had settled before it failed, and take back what was surely not sent."""
        settled: list[Outcome | None] = []
        if isinstance(error, DestinationError):
            settled = [outcome if isinstance(outcome, Done | Rejected) else None for outcome in error.outcomes]
        rest = batch[len(settled):]
        sent = not (isinstance(error, Throttled) or (isinstance(error, Unavailable) and not error.sent))
        if sent:
            self._save(kind, batch, settled + [None] * len(rest), failed_call=True)
            return
        self._save(kind, batch[:len(settled)], settled, failed_call=True)
        if kind is ChangeKind.CREATE:
            unsent = [Mark(item.key, RecordState.FAILED, item.parent_key, error_class="not_sent")
                      for item in rest if item.known]
            self._plan.state.save(unsent, Counts(), gone=[item.key for item in rest if not item.known])

    def _save(self, kind: ChangeKind, batch: Sequence[Item], outcomes: Sequence[Outcome | None],
              failed_call: bool = False) -> None:
        marks: list[Mark] = []
        gone: list[str] = []
        counts = Counts(calls=self._verbs.new_calls())
        for item, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Done):
                self._done(kind, item, outcome, marks, gone, counts)
            elif isinstance(outcome, Rejected) and outcome.code == GONE and kind is ChangeKind.UPDATE:
                counts.failed += 1
                gone.append(item.key)  # the next run finds no row, and creates it anew
            elif isinstance(outcome, Rejected):
                counts.failed += 1
                marks.append(Mark(item.key, RecordState.FAILED, item.parent_key, item.remote_id,
                                  error_class=outcome.code, error=outcome.message))
            else:
                counts.failed += 0 if failed_call else 1  # a failed call ends the run, and costs no record an attempt
                marks.append(Mark(item.key, RecordState.IN_DOUBT, item.parent_key, item.remote_id,
                                  error_class="no_answer", error="the destination's answer was lost"))
        self._plan.state.save(marks, counts, gone)

    def _done(self, kind: ChangeKind, item: Item, outcome: Done, marks: list[Mark], gone: list[str],
              counts: Counts) -> None:
        remote_id = outcome.remote_id or item.remote_id
        if kind is ChangeKind.DELETE:
            counts.deleted += 1
            if self._layer.on_delete == "disable":
                marks.append(Mark(item.key, RecordState.DISABLED, item.parent_key, remote_id, outcome.version))
            else:
                gone.append(item.key)
            return
        if remote_id is None:
            counts.failed += 1
            marks.append(Mark(item.key, RecordState.IN_DOUBT, item.parent_key, error_class="no_remote_id",
                              error="the destination said Done without a remote id"))
            return
        if kind is ChangeKind.CREATE:
            counts.created += 1
        else:
            counts.updated += 1
        marks.append(Mark(item.key, RecordState.SYNCED, item.parent_key, remote_id, outcome.version, item.digest))
