"""A pile of records that differ: gathered over pages of the source until it is worth a look at their rows.

Where one record of a hundred changed, nearly every page has some, and a look for each page would cost more than the
reading of the page's digests.
"""

from collections.abc import Sequence

from penstock.sync.planning.changes import Differing, changes
from penstock.sync.planning.dropped import Dropped
from penstock.sync.planning.plan import ADOPT, LayerPlan, entry

_ENOUGH = 500


class Pile:
    """Of one layer's plan. What is added lies on the plan's spool at the latest after `settle`."""

    def __init__(self, plan: LayerPlan, dropped: Dropped) -> None:
        self.dropped = dropped
        self._plan = plan
        self._differing: list[Differing] = []
        self._buckets: list[int] = []

    def add(self, differing: Sequence[Differing], bucket: int) -> None:
        """Records of one page, and the bucket of which they are, or -1."""
        self._differing += differing
        self._buckets += [bucket] * len(differing)
        if len(self._differing) >= _ENOUGH:
            self.settle()

    def settle(self) -> None:
        """Tell what each of the gathered records needs, and lay it on the spool."""
        kinds = self.dropped.sorted(changes(self._plan, self._differing))
        entries = []
        for (kind, item), bucket in zip(kinds, self._buckets, strict=True):
            if kind == "update" and self._plan.layer.mode == "create_only":
                self._plan.counts.skipped += 1
            else:
                if kind == "create" and self._plan.layer.mode == "update_only":
                    kind = ADOPT
                item.bucket = bucket
                entries.append(entry(kind, item))
        if entries:
            self._plan.spool.lay(entries)
        self._differing, self._buckets = [], []
