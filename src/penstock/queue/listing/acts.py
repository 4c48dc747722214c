"""Acts on many jobs: retry, cancel, discard, run now; in bounded batches, each job by a statement that guards itself.

A statement changes nothing where the job is in another state by now. Few are in one transaction, in the order of their
ids, and one whose job has a unique key, or runs, ends its transaction: so nobody who holds one of them and wants
another ever meets a transaction like it the other way round.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from penstock.domain.errors import InvalidArguments
from penstock.domain.jobs import FINAL_STATES, JobState, Retention, storable
from penstock.domain.listing import FITS, Act, Acted, JobFilter
from penstock.domain.names import did_you_mean
from penstock.queue.control import Ask, is_to_be_asked_again
from penstock.queue.listing.search import begun, named, searched
from penstock.store.port import Store, Transaction

ACT_TASK = "penstock.act"
"""The jobs that go on with an act: it is not done to them, or it would end itself."""
MOST_IDS = 1_000
_BATCH = 100
_TOGETHER = 20


class Target(NamedTuple):
    """A job to act on, as it was when it was found."""

    id: int
    task: str
    state: str
    keyed: bool


@dataclass(slots=True)
class _Sum:
    done: int = 0
    asked: int = 0
    refused: int = 0


def check_act(act: str) -> Act:
    """Raises `InvalidArguments` for an act that there is not."""
    for known in FITS:
        if act == known:
            return known
    raise InvalidArguments(f"act: expected one of {', '.join(FITS)}, got {act!r}{did_you_mean(act, FITS)}")


def asking(act: Act, target: Target, reason: str, retention: Retention) -> Ask:
    """The statement that does it to one job."""
    if act == "cancel":
        keep_ms = retention.keep_ms(JobState.CANCELLED, 0)
        return "cancel", {"id": target.id, "keep_ms": keep_ms, "state": "cancelled",
                          "reason": storable(reason) or "cancelled"}
    if act == "discard":
        keep_ms = retention.keep_ms(JobState.DISCARDED, 0)
        said = f"discarded: {reason}" if reason else "discarded"
        return "cancel", {"id": target.id, "keep_ms": keep_ms, "state": "discarded", "reason": storable(said)}
    if act == "retry" and target.state in FINAL_STATES:
        return "requeue", {"id": target.id}
    return "run_now", {"id": target.id}


Retentions = Callable[[str], Retention]


def on_ids(store: Store, act: Act, ids: Sequence[int], reason: str, retention: Retentions) -> Acted:
    """Raises `InvalidArguments` for more than `MOST_IDS`."""
    wanted = sorted(set(ids))
    if len(wanted) > MOST_IDS:
        raise InvalidArguments(f"ids: expected at most {MOST_IDS:,} jobs, got {len(wanted):,}: act on all that match a"
                               " filter instead")
    known = store.read(lambda tx: named(tx, wanted))
    targets = [Target(id, *known[id]) for id in wanted if id in known]
    total = _Sum(refused=len(wanted) - len(targets))
    _act(store, act, targets, reason, retention, total)
    return Acted(act, total.done, total.asked, total.refused)


def on_matching(store: Store, act: Act, wanted: JobFilter, after: str | None, reason: str, retention: Retentions,
                is_time_over: Callable[[], bool]) -> Acted:
    """Batch after batch, one at least, until the time is over. What comes to fit later is not acted on: the search only
    goes on from where it is.

    Raises `InvalidArguments` for a filter without a state that the act fits.
    """
    if wanted.state not in FITS[act]:
        raise InvalidArguments(f"state: expected one of {', '.join(FITS[act])} for {act}, got {wanted.state or 'none'}")
    total = _Sum()
    while True:
        cursor = after
        found = store.read(lambda tx, cursor=cursor: searched(tx, begun(tx, wanted, cursor), _BATCH))  # type: ignore[misc]
        targets = sorted(Target(hit.job.id, hit.job.task, hit.job.state, hit.keyed) for hit in found.hits
                         if hit.job.task != ACT_TASK)
        _act(store, act, targets, reason, retention, total)
        after = None if found.over else found.last.text()
        if after is None or is_time_over():
            return Acted(act, total.done, total.asked, total.refused, after)


def _act(store: Store, act: Act, targets: Sequence[Target], reason: str, retention: Retentions, total: _Sum) -> None:
    fitting = [target for target in targets if target.state in FITS[act]]
    total.refused += len(targets) - len(fitting)
    for together in _transactions(fitting):
        left = list(together)
        while left:
            asks = [asking(act, target, reason, retention(target.task)) for target in left]
            for said in store.write(lambda tx, asks=asks: _carried_out(tx, asks)):  # type: ignore[misc]
                left.pop(0)
                total.done += said == "done"
                total.asked += said == "asked"
                total.refused += said == "refused"
    if fitting:
        store.wake()


def _transactions(targets: Sequence[Target]) -> Iterator[Sequence[Target]]:
    for alone, group in groupby(targets, lambda each: each.keyed or each.state == "executing"):
        some = list(group)
        size = 1 if alone else _TOGETHER
        yield from (some[place:place + size] for place in range(0, len(some), size))


def _carried_out(tx: Transaction, asks: Sequence[Ask]) -> list[str]:
    """What came of each, up to the first that runs by now: whose row is locked, and nothing else is waited for."""
    said: list[str] = []
    for name, params in asks:
        while is_to_be_asked_again(rows := tx.rows(name, params)):
            pass
        came = _came(name, params, rows[0][0] if rows else None)
        said.append(came)
        if rows and rows[0][0] == "executing":
            break
    return said


def _came(name: str, params: Mapping[str, object], row: object) -> str:
    if row is None or (row == "executing" and params["state"] != "cancelled"):
        return "refused"
    return "asked" if row == "executing" else "done"
