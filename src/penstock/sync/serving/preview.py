"""A look at what a run would do: every layer is planned, and nothing is sent or written."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from penstock.domain.records import Subject
from penstock.store.port import Store
from penstock.store.spool import Spool
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.deleting.claims import Claims
from penstock.sync.planning.difference import plan_layer
from penstock.sync.planning.newer import spare_newer
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.serving.bounded import Bound
from penstock.sync.serving.opening import beside, layer_states, loaded
from penstock.sync.serving.snapshots import Snapshots


@contextmanager
def preview(store: Store, definition: SyncDefinition, subject: Subject,
            snapshots: Snapshots | None = None, bound: Bound | None = None) -> Iterator[list[LayerPlan]]:
    """Plan every layer without applying any. Nothing is written, and the destination is not asked.

    `snapshots` are those of a plan of many subjects. The plans are closed in the end. Raises `OutOfTime` where the
    source is beyond a `bound`.
    """
    run = loaded(definition, subject)
    if bound is not None:
        bound.put_on(run)
    run.shared = (snapshots or Snapshots()).shared(store, definition, run)
    states = layer_states(store, definition, subject)
    with ExitStack() as stack:
        plans: list[LayerPlan] = []
        planned: dict[str, Spool] = {}
        for layer in definition.layers:
            shared = layer.account_scoped and layer.on_delete != "keep"
            claims = Claims(store, layer.table, subject.account, subject.key, None) if shared else None
            run.shared.used = False
            plan = plan_layer(layer, run, states[layer.name], states, planned)
            stack.callback(plan.spool.close)
            if claims is not None:
                claims.absent(plan, lambda: beside(definition, subject))
            if run.shared.dated is not None:
                spare_newer(plan, run.shared.dated)
            planned[layer.name] = plan.spool
            plans.append(plan)
        yield plans
