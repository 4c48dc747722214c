"""What a run's options make of its sync: everything again, or only some layers or records, and fewer deletes.

`full` deletes nothing. `only` deletes nothing but in a layer that it names: one record alone cannot tell whether too
many are missing, or whether another subject has it; and in a layer to which others refer that the run leaves out, what
it deleted would leave their records behind, or take them along. Such deletes are left to an ordinary run.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from penstock.domain.options import RunOptions
from penstock.domain.records import RecordState
from penstock.store.port import Row
from penstock.store.spool import Entry, Spool
from penstock.sync.declaring.address import layer_of
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.planning.difference import plan_layer
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.restricting.bound import BoundState
from penstock.sync.state.layer import LayerState
from penstock.sync.state.rows import Held


def restricted(definition: SyncDefinition, options: RunOptions) -> SyncDefinition:
    """The sync as a run with these options knows it. Raises `ConfigurationError` for a layer that it does not have."""
    for target in options.only:
        layer_of(definition, target.layer)
    left_out = {target for layer in definition.layers if not options.has(layer.name) for target in layer.targets}
    served = [layer for layer in definition.layers if options.has(layer.name)]
    kept = {layer.name for layer in served if options.full or options.keys(layer.name)} | left_out
    return replace(definition, layers=tuple(
        replace(layer, on_delete="keep") if layer.name in kept else layer for layer in served))


def plan_restricted(layer: LayerDefinition, run: Run, states: Mapping[str, LayerState],
                    options: RunOptions) -> LayerPlan:
    """The plan of a layer, of which only the records that the options name are kept. The caller closes it."""
    keys = options.keys(layer.name)
    if keys is None and not options.full:
        return plan_layer(layer, run, states[layer.name], states)
    for name in ("buckets_remove", "cursor_remove"):  # what is in step there may not be after this run
        states[layer.name].note(name, {"subject": run.subject.key})
    if keys is None:
        return plan_layer(layer, run, states[layer.name], states, whole=True)
    plan = plan_layer(layer, run, states[layer.name], states, spool=SomeOf(keys), whole=True)
    plan.after_upserts.clear()  # what is saved there has to be true of all records
    plan.counts.skipped = 0
    for key in sorted(keys):
        if plan.spool.kind(key) is None:
            if in_source(plan, key):
                plan.counts.skipped += 1
            else:
                plan.problem(f"no record with the key {key!r} in the source; what is to be deleted is left to a run"
                             " without --only")
    return plan


def in_source(plan: LayerPlan, key: str) -> bool:
    """Whether a record that needs nothing was read; of one that needs something, the spool tells."""
    return any(row[0] == key and row[1] in plan.seen for row in plan.state.digests([key]))


class SomeOf(Spool):
    """A spool that takes the entries of some keys only."""

    def __init__(self, keys: Container[str]) -> None:
        super().__init__()
        self._keys = keys

    def lay(self, entries: Iterable[Entry]) -> None:
        if kept := [entry for entry in entries if entry[0] in self._keys]:
            super().lay(kept)


def state_type(options: RunOptions, layer: str, subject: str) -> Callable[..., LayerState]:
    """What makes the state of a layer as a run with these options is to see it, from what `LayerState` takes."""
    if options.plan is not None:
        return partial(BoundState, options.plan, subject, layer)
    keys = options.keys(layer)
    if not options.has(layer) or (keys is None and not options.full):
        return LayerState
    return partial(Asked, keys, options.full)


class Asked(LayerState):
    """State of some records, or (None) of all, that somebody asked for: who waits after a failure waits no longer.

    `again`: it does not tell what was sent, so that it is sent again; except by this very run, so that a run which was
    stopped goes on from there.
    """

    def __init__(self, keys: frozenset[str] | None, again: bool, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._keys = keys
        self._again = again

    def digests(self, keys: Sequence[str]) -> list[Row]:
        rows = super().digests(keys)
        asked = [row[0] for row in rows if row[2] is not None and self._is_asked(row[0])] if self._again else []
        forgotten = set(asked) - self._sent_now(asked)
        return [(key, id, None if key in forgotten else digest) for key, id, digest in rows]

    def look_up(self, keys: Sequence[str]) -> dict[str, Held]:
        return {key: row._replace(wait_ms=0) if row.status == RecordState.FAILED and self._is_asked(key) else row
                for key, row in super().look_up(keys).items()}

    def fields(self, keys: Sequence[str]) -> dict[str, Mapping[str, bytes]]:
        return super().fields([key for key in keys if not (self._again and self._is_asked(key))])

    def _is_asked(self, key: str) -> bool:
        return self._keys is None or key in self._keys

    def _sent_now(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that this run has sent already."""
        if self._fence is None or not keys:
            return set()
        params = {"scope": self._scope, "keys": list(keys), "run_id": self._fence.run_id}
        rows = self._store.read(lambda tx: tx.rows("state_sent_by", params, layer=self._table))
        return {row[0] for row in rows}
