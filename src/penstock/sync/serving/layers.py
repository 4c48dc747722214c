"""The layers of one run: planned and applied one after the other, then what is gone deleted in reverse."""

from collections.abc import Mapping
from contextlib import ExitStack

from penstock.domain.options import RunOptions
from penstock.events.telling import Events
from penstock.store.layers import Registered
from penstock.store.port import Store
from penstock.sync.applying.apply import Applier
from penstock.sync.applying.doubt import wait_for_doubts
from penstock.sync.auditing.repair import audit_run
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.deleting.claims import Claims
from penstock.sync.deleting.withhold import Withholding
from penstock.sync.destination.contact import make_contacts
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.newer import spare_newer
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.restricting.bound import binding
from penstock.sync.restricting.restrict import plan_restricted, restricted
from penstock.sync.serving.opening import beside, layer_states
from penstock.sync.serving.traced import TracedLayers
from penstock.sync.state.fence import Fence


def serve_layers(store: Store, events: Events, definition: SyncDefinition, run: Run, options: RunOptions, fence: Fence,
                 found: Mapping[str, Registered]) -> dict[str, list[str]]:
    """Plan and apply layer after layer, then delete in reverse.

    Return what is to be said, by the error class that it gives the run, the gravest first: what moved since the plan to
    which it is bound was made, what is wrong with the source, what was not deleted, and why, and what is newer than
    the snapshot.
    """
    subject = run.subject
    with ExitStack() as stack:
        traced = stack.enter_context(TracedLayers(definition.name, run))
        verbs = Verbs(run)
        stack.callback(verbs.close)
        states = layer_states(store, definition, subject, fence, options)
        for layer in definition.layers:
            states[layer.name].identity = found[layer.table].identity
            states[layer.name].remembers_removed = definition.sync.snapshot is not None
        definition = restricted(definition, options)
        if options.audit is not None:
            return audit_run(definition, run, verbs, states, options.audit)
        bound = binding(store, definition.name, subject.key, options)
        withholding = Withholding(store, events, definition, subject, fence)
        served: list[tuple[LayerPlan, Applier]] = []
        shared: list[Claims] = []
        make_contacts(definition.layers, run, verbs, states)
        spared: list[str] = []
        for layer in definition.layers:
            with traced.part(layer):
                claims: Claims | None = None
                run.shared.used = False
                if layer.account_scoped and options.keys(layer.name) is None:
                    claims = Claims(store, layer.table, subject.account, subject.key, fence)
                plan = bound.plan(layer, run, states) if bound else plan_restricted(layer, run, states, options)
                stack.callback(plan.spool.close)
                newer = 0 if run.shared.dated is None else spare_newer(plan, run.shared.dated)
                withholding.void(plan)
                applier = Applier(plan, run, verbs)
                applier.upserts()
                if claims is not None:
                    claims.settle(plan)
                    shared.append(claims)
                    if layer.on_delete != "keep":
                        claims.absent(plan, lambda: beside(definition, subject))
                        if run.shared.dated is not None:
                            newer += spare_newer(plan, run.shared.dated)
                if newer:
                    spared.append(f"{layer.name}: {newer:,} records changed since the snapshot was taken that its"
                                  " source looked at; they are left to a later run")
                served.append((plan, applier))
        removals = withholding.decide([plan for plan, _ in served])
        if withholding.believed():
            for claims in shared:
                claims.completed()
        if bound:
            for plan, _ in served:
                bound.removals(plan)
        for plan, applier in reversed(served):
            with traced.part(plan.layer):
                applier.deletes(removals[plan.layer.name])
        wait_for_doubts([plan for plan, _ in served])
        return {"PlanMoved": bound.messages() if bound else [],
                "SourceProblems": [problem for plan, _ in served for problem in plan.problems],
                "DeletesWithheld": withholding.messages(), "SnapshotOlder": spared}
