"""Sending one batch of changes, and saving what becomes of each.

The digest of a record is saved with its outcome, never before.
"""

from collections.abc import Sequence

from penstock.domain.errors import DestinationError, StaleLease, Stopping, Throttled, Unavailable
from penstock.domain.records import GONE, ChangeKind, Counts, Done, Outcome, RecordState, Rejected
from penstock.sync.plan import Item, LayerPlan
from penstock.sync.ports import Run
from penstock.sync.state import Mark
from penstock.sync.verbs import Verbs


class Sender:
    """Sends changes of one layer's plan."""

    def __init__(self, plan: LayerPlan, run: Run, verbs: Verbs) -> None:
        self._plan = plan
        self._layer = plan.layer
        self._run = run
        self._verbs = verbs

    def send(self, kind: ChangeKind, verb: str, batch: list[Item]) -> None:
        """Make one call. Where it fails as a whole, what is surely known of its changes is saved first."""
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
        marks.append(Mark(item.key, RecordState.SYNCED, item.parent_key, remote_id, outcome.version, item.digest,
                          canonical=item.canonical))
