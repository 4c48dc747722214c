"""Incremental sources: a layer that can tell what changed since a cursor is read whole only now and then.

The cursor moves only when everything that it covers is in step with the destination, so what failed is read again. What
left the source shows in a whole read alone, and so does what a source forgot to tell: such reads are made every
`full_every`. A cursor counts for one declaration of the layer, `render` included; and it is forgotten where a parent's
row goes, for the children may get another remote id.
"""

from datetime import timedelta
from typing import Any

import msgspec

from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.planning.settled import unsettled
from penstock.sync.state.layer import LayerState


class Increment:
    """How one layer is read in one run: `since` a cursor, or whole where that is None."""

    def __init__(self, layer: LayerDefinition, state: LayerState, run: Run) -> None:
        self._state = state
        self._subject = run.subject.key
        rows = state.ask("cursor", {"subject": self._subject})
        kept, full_at, now = rows[0] if rows else (None, None, None)
        every: timedelta = layer.layer.full_every
        due = full_at is None or now - full_at >= every // timedelta(milliseconds=1)
        self._version = layer.version
        version, since = (None, None) if kept is None else msgspec.json.decode(kept)
        self.since: Any = since if version == self._version and not due else None
        self._whole = self.since is None
        # Taken before a whole read: what changes meanwhile is told again.
        declared: Any = layer.layer
        self.next: Any = declared.cursor(run) if self._whole else None

    def settle(self, plan: LayerPlan) -> None:
        """Move the cursor, if all that it covers is in step; not after a whole read that did not prove itself."""
        if plan.counts.failed or (self._whole and not plan.complete) or next(unsettled(plan), None) is not None:
            return
        self._state.note("cursor_save", {"subject": self._subject, "whole": int(self._whole),
                                         "cursor": msgspec.json.encode((self._version, self.next)).decode()})


def find_increment(layer: LayerDefinition, state: LayerState, run: Run) -> Increment | None:
    """None for a layer that cannot tell what changed."""
    return Increment(layer, state, run) if hasattr(layer.layer, "changed_since") else None
