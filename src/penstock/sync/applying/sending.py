"""Sending one batch of changes, and saving what becomes of each.

The digest of a record is saved with its outcome, never before. Three kinds of errors are told apart: that of a record
(`Rejected`) concerns nobody else; that of a call (`Refused`) is traced to the bad record by halving; any other ends the
run for a later try, and costs no record an attempt.
"""

from collections import Counter
from collections.abc import Sequence

from penstock.domain.errors import Refused, StaleLease, Stopping, Throttled
from penstock.domain.fields import held_digests
from penstock.domain.records import CONFLICTS, GONE, ChangeKind, Counts, Done, Outcome, RecordState, Rejected
from penstock.domain.retry import RetryPolicy
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.plan import Item, LayerPlan
from penstock.sync.state.messages import kept, kept_class, plain
from penstock.sync.state.rows import Mark

RECORD_RETRY = RetryPolicy(base_seconds=60.0, longest_seconds=3600.0, jitter=0.0)
"""When a record that was refused is sent again, unless it has changed meanwhile. It never gives up."""
_MOST_ATTEMPTS = 32_000
TOO_LARGE = "too_large"

Conflict = tuple[Item, Rejected]
"""A create of what exists already, and how the destination put it."""


class Sender:
    """Sends changes of one layer's plan."""

    def __init__(self, plan: LayerPlan, run: Run, verbs: Verbs) -> None:
        self._plan = plan
        self._layer = plan.layer
        self._run = run
        self._verbs = verbs

    def send(self, kind: ChangeKind, verb: str, batch: list[Item]) -> list[Conflict]:
        """Make one call, or more where it is refused as a whole; give the creates that met an existing record.

        Where a call fails, what is surely known of its changes is saved first. Conflicts are left in doubt, for the
        caller to look up.
        """
        conflicts: list[Conflict] = []
        fitting = self.fitting(kind, batch)
        waiting = self._parts(fitting)
        while waiting:
            part = waiting.pop()
            try:
                self._verbs.check(self._layer, verb)
                permit = self._run.permits.call(len(part))
            except StaleLease:
                raise
            except Exception:
                self._take_back(kind, part, waiting)
                raise
            try:
                with permit:
                    outcomes = self._verbs.call(self._layer, verb, [item.change(kind) for item in part])
            except StaleLease:
                raise
            except Refused as error:
                settled = _settled(error)[:len(part)]
                conflicts += self._save(kind, part[:len(settled)], settled)
                rest = part[len(settled):]
                if len(rest) == 1:
                    conflicts += self._save(kind, rest, [Rejected(error.code, f"{error}")])
                elif rest:
                    waiting += [rest[len(rest) // 2:], rest[:len(rest) // 2]]
            except Exception as error:
                self._call_failed(kind, part, waiting, error)
                raise
            else:
                conflicts += self._answered(kind, part, waiting, outcomes)
        return conflicts

    def _parts(self, batch: list[Item]) -> list[list[Item]]:
        """The calls of a batch, the last first: none has more changes than a limit gives at once."""
        most = self._run.permits.most or max(len(batch), 1)
        return [batch[start:start + most] for start in range(0, len(batch), most)][::-1]

    def fitting(self, kind: ChangeKind, batch: list[Item]) -> list[Item]:
        """Those that a call can take; the others, each larger than `batch_bytes` alone, have failed."""
        most = self._layer.batch_bytes
        large = [] if most is None else [item for item in batch if len(item.canonical) > most]
        if not large:
            return batch
        marks = [_too_large(kind, item, most or 0) for item in large]
        self._plan.state.save(marks, Counts(failed=len(marks)))
        return [item for item in batch if len(item.canonical) <= (most or 0)]

    def _answered(self, kind: ChangeKind, part: list[Item], waiting: list[list[Item]],
                  outcomes: Sequence[Outcome | None]) -> list[Conflict]:
        """Save the outcomes. Rows that were refused for the rate were not sent, and end the run for a later try."""
        limited = [place for place, outcome in enumerate(outcomes) if self._is_rate(outcome)]
        if not limited:
            return self._save(kind, part, outcomes)
        others = [place for place in range(len(part)) if place not in set(limited)]
        self._save(kind, [part[place] for place in others], [outcomes[place] for place in others])
        self._take_back(kind, [part[place] for place in limited], waiting)
        said = outcomes[limited[0]]
        assert isinstance(said, Rejected)
        error = Throttled(message=f"{self._layer.name}: the destination refused {len(limited)} of {len(part)} records"
                                  f" for its rate ({kept_class(said.code)}):"
                                  f" {kept(said.message) or 'no reason given'}")
        self._run.permits.refused(error)
        raise error

    def _is_rate(self, outcome: Outcome | None) -> bool:
        return isinstance(outcome, Rejected) and bool({f"{outcome.code}", plain(outcome.code)} & self._layer.rate_codes)

    def _call_failed(self, kind: ChangeKind, part: list[Item], waiting: list[list[Item]], error: Exception) -> None:
        """Save what the call had settled before it failed, and take back what was surely not sent."""
        settled = _settled(error)[:len(part)]
        rest = part[len(settled):]
        if _rest_was_sent(error):
            self._save(kind, part, settled + [None] * len(rest), failed_call=True)
            self._take_back(kind, [], waiting)
            return
        self._save(kind, part[:len(settled)], settled, failed_call=True)
        self._take_back(kind, rest, waiting)

    def _take_back(self, kind: ChangeKind, part: Sequence[Item], waiting: Sequence[Sequence[Item]]) -> None:
        """Undo the intent of creates that were surely not sent: their rows say what they said before."""
        unsent = [*part, *(item for later in waiting for item in later)]
        if kind is not ChangeKind.CREATE or not unsent:
            return
        marks = [self._before(item) for item in unsent if item.known]
        self._plan.state.save(marks, Counts(), gone=[item.key for item in unsent if not item.known])

    def _before(self, item: Item) -> Mark:
        if item.in_doubt and not item.absent:
            return doubtful(item, item.error_class or "no_answer", item.error or "")
        status = RecordState.BLOCKED if item.was == RecordState.BLOCKED else RecordState.FAILED
        return Mark(item.key, status, item.parent_key, error_class=item.error_class or "not_sent", error=item.error,
                    attempts=item.attempts)

    def _save(self, kind: ChangeKind, batch: Sequence[Item], outcomes: Sequence[Outcome | None],
              failed_call: bool = False) -> list[Conflict]:
        """Save what became of each change, in one write; of creates that met an existing record nothing yet."""
        marks: list[Mark] = []
        gone: list[str] = []
        conflicts: list[Conflict] = []
        counts = Counts(calls=self._verbs.new_calls())
        ids = Counter(outcome.remote_id for outcome in outcomes if isinstance(outcome, Done) and outcome.remote_id)
        for item, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Done) and kind is ChangeKind.CREATE and ids[outcome.remote_id or ""] > 1:
                counts.failed += 1
                marks.append(doubtful(item, "ambiguous", "the destination gave several records of one call the same"
                                                              f" remote id, {kept(f'{outcome.remote_id}')}"))
            elif isinstance(outcome, Done):
                self._done(kind, item, outcome, marks, gone, counts)
            elif isinstance(outcome, Rejected) and outcome.code == GONE and kind is ChangeKind.UPDATE:
                counts.failed += 1
                gone.append(item.key)  # the next run finds no row, and creates it anew
            elif isinstance(outcome, Rejected) and kind is ChangeKind.CREATE and plain(outcome.code) in CONFLICTS:
                conflicts.append((item, outcome))
            elif isinstance(outcome, Rejected):
                counts.failed += 1
                marks.append(_failed(kind, item, outcome))
            else:
                counts.failed += 0 if failed_call else 1  # a failed call ends the run, and costs no record an attempt
                marks.append(doubtful(item, "no_answer", "the destination's answer was lost"))
        self._plan.state.save(marks, counts, gone)
        return conflicts

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
            marks.append(doubtful(item, "no_remote_id", "the destination said Done without a remote id"))
            return
        if kind is ChangeKind.CREATE:
            counts.created += 1
        else:
            counts.updated += 1
        answered = None if outcome.answered is None else held_digests(outcome.answered)
        marks.append(Mark(item.key, RecordState.SYNCED, item.parent_key, remote_id, outcome.version, item.digest,
                          canonical=item.canonical, answered=answered))


def doubtful(item: Item, error_class: str, error: str) -> Mark:
    """That it is not known what became of a change. Of a create the row keeps by what it can be looked up, and when."""
    remote_id = item.remote_id or item.identified
    if remote_id is not None:
        return Mark(item.key, RecordState.IN_DOUBT, item.parent_key, remote_id, error_class=error_class, error=error,
                    attempts=item.attempts)
    return Mark(item.key, RecordState.IN_DOUBT, item.parent_key, error_class=error_class, error=error,
                attempts=item.attempts, wait_ms=max(item.wait_ms, 0), tried=item.tried)


def _failed(kind: ChangeKind, item: Item, outcome: Rejected) -> Mark:
    """That a change was refused, how often by now, and when it goes again unless the record changes meanwhile."""
    attempts = min(item.attempts + 1, _MOST_ATTEMPTS)
    return Mark(item.key, RecordState.FAILED, item.parent_key, item.remote_id, error_class=kept_class(outcome.code),
                error=kept(outcome.message), attempts=attempts,
                wait_ms=round(RECORD_RETRY.delay_seconds(attempts) * 1000),
                tried=None if kind is ChangeKind.DELETE else item.digest)


def _too_large(kind: ChangeKind, item: Item, most: int) -> Mark:
    size = len(item.canonical)
    said = f"its payload has {size:,} bytes, and a call at most {most:,} (batch_bytes): it was not sent"
    if item.in_doubt and item.remote_id is None and not item.absent:
        return doubtful(item, TOO_LARGE, said)  # what was sent of it before may be there
    return _failed(kind, item, Rejected(TOO_LARGE, said))


def _settled(error: Exception) -> list[Outcome | None]:
    """What a call had settled before it failed, from its first change on."""
    outcomes = getattr(error, "outcomes", ())
    return [outcome if isinstance(outcome, Done | Rejected) else None for outcome in outcomes]


def _rest_was_sent(error: Exception) -> bool:
    """Whether changes beyond those that the error settles may have been carried out."""
    if isinstance(error, Stopping):
        return "outcomes" not in vars(error)  # it was raised by somebody who does not know
    if isinstance(error, Throttled):
        return False
    sent = vars(error).get("sent", True)
    return bool(sent)
