"""Buckets: ranges of a source's rows that need not be read, since the source says that nothing in them changed.

A bucket's digest is taken before its rows are read, and saved when each of its records is in step with the destination:
what fails, is blocked or in doubt keeps its bucket among those that are read. It counts for one query and declaration.
Where a parent's row goes, so do the buckets of the layers that refer to it: its children may get another remote id.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

from penstock.domain.records import Bucket
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.planning.settled import unsettled
from penstock.sync.state.layer import LayerState
from penstock.sync.state.rows import KeptBucket

_GROWN = 4
"""So many times its size makes a bucket one to divide again."""


Span = tuple[int, int]
"""The first and the last number of neighbouring buckets that are read as one."""


class Bucketed(Protocol):
    """A source that can tell whether ranges of its rows changed; `buckets` is for how many rows, None if it cannot."""

    buckets: int | None
    version: str

    def bounds(self, run: Run) -> list[str]: ...

    def total_digest(self, run: Run) -> Bucket: ...

    def bucket_digests(self, run: Run, bounds: list[str]) -> list[Bucket]: ...

    def bucket_pages(self, run: Run, size: int, bounds: list[str], spans: Sequence[Span]) -> Any: ...


class Buckets:
    """Those of one layer's source for one subject, in one run."""

    def __init__(self, source: Bucketed, layer: LayerDefinition, state: LayerState, run: Run) -> None:
        self._state = state
        self._subject = run.subject.key
        self._version = blake2b(f"{source.version}\0{layer.version}".encode(), digest_size=16).hexdigest()
        kept = {each.number: each for each in state.buckets(self._subject)}
        self._anew = not kept or kept[0].version != self._version
        if not self._anew:
            self.bounds = [kept[number].lower or "" for number in range(1, len(kept) - 1)]
            self.now = _unchanged(kept, source, run) or source.bucket_digests(run, self.bounds)
            self._anew = max(bucket.rows for bucket in self.now) > _GROWN * (source.buckets or 1)
        if self._anew:
            kept = {}
            self.bounds = source.bounds(run)
            self.now = source.bucket_digests(run, self.bounds)
        self.changed = [number for number, bucket in enumerate(self.now)
                        if number not in kept or (kept[number].rows, kept[number].digest) != bucket]
        again = set(self.changed)
        others = [number for number in range(len(self.now)) if number not in again]
        self.others = list(_spans(others, len(self.now) - 1))
        self.unread = sum(self.now[number].rows for number in others)

    def settle(self, plan: LayerPlan) -> None:
        """Save the digests of the buckets that were read and whose records are all in step."""
        bad = set(self.changed) if plan.counts.failed else {item.bucket for item in unsettled(plan)}
        stale = [number for first, last in self.others if first in bad for number in range(first, last + 1)]
        bad.update(stale)
        numbers = range(len(self.now)) if self._anew else [*self.changed, *stale]
        rows = [KeptBucket(number, self.bounds[number - 1] if 0 < number <= len(self.bounds) else None,
                           self.now[number].rows, None if number in bad else self.now[number].digest, self._version)
                for number in numbers]
        if rows:
            self._state.save_buckets(self._subject, rows, anew=self._anew)


def _unchanged(kept: Mapping[int, KeptBucket], source: Bucketed, run: Run) -> list[Bucket] | None:
    """What was kept, if that is what the source says of all its rows together; a bucket out of step is to be read."""
    buckets = [Bucket(kept[number].rows, kept[number].digest or b"") for number in range(len(kept))]
    if any(each.digest is None for each in kept.values()):
        return None
    together = 0
    for each in buckets:
        together ^= int.from_bytes(each.digest, "big")
    total = source.total_digest(run)
    same = total.rows == sum(each.rows for each in buckets) and int.from_bytes(total.digest, "big") == together
    return buckets if same else None


def _spans(numbers: Sequence[int], last: int) -> Iterator[Span]:
    """Neighbours together, but for the last bucket, whose rows have no key, and so no place behind the others."""
    first = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1 or number + 1 == last:
            yield numbers[first], number
            first = place + 1


def find_buckets(layer: LayerDefinition, state: LayerState, run: Run) -> Buckets | None:
    """The buckets of a layer's source, if it has any. Subjects that share rows claim each, so there all are read."""
    source: Any = layer.layer.source
    if layer.account_scoped or not getattr(source, "buckets", None):
        return None
    return Buckets(source, layer, state, run)
