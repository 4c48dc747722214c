"""A window: one execution that serves one run, layer by layer, and settles it whatever happens.

(Serving more than one run in a window comes with admission and windows.)
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from penstock.domain.errors import PlanRefused, StaleLease, Stopping, UnknownSubject
from penstock.domain.jobs import storable
from penstock.domain.options import RunOptions
from penstock.domain.records import Subject
from penstock.events import Events, RunSettled
from penstock.store.layers import Registered, noted, outdated
from penstock.store.port import Store
from penstock.store.spool import Spool
from penstock.sync.applying.apply import Applier
from penstock.sync.applying.doubt import wait_for_doubts
from penstock.sync.auditing.repair import audit_run
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.declaring.renamed import tables
from penstock.sync.deleting.claims import Claims
from penstock.sync.deleting.withhold import Withholding
from penstock.sync.destination.contact import make_contacts
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.difference import plan_layer
from penstock.sync.planning.plan import LayerPlan
from penstock.sync.restricting.bound import binding
from penstock.sync.restricting.planned import Plans
from penstock.sync.restricting.restrict import plan_restricted, restricted, state_type
from penstock.sync.state.fence import Fence
from penstock.sync.state.layer import LayerState
from penstock.sync.state.runs import Settlement, retried
from penstock.sync.state.shapes import Shapes

_ELSEWHERE_SECONDS = 10.0


def serve(store: Store, syncs: dict[str, SyncDefinition], events: Events, *, run_id: int, job_id: int, lease: int,
          check: Callable[[], None], remaining: Callable[[], float]) -> None:
    """Serve one run under the lease of the job that does it; `check` and `remaining` are those of `Run`.

    Returns quietly where the run is no longer this job's. Raises `StaleLease` where it ceased to be on the way.
    """
    row = store.write(lambda tx: tx.row("run_start", {"id": run_id, "job_id": job_id, "lease": lease}))
    if row is None:
        return
    name, key, account, size, attempt, options, written = row
    fence = Fence(run_id, lease)
    settlement = Settlement(store, fence)
    status, message = "succeeded", None
    asked = RunOptions()
    try:
        asked = RunOptions.read(options)
        definition = syncs.get(name)
        if definition is None:
            settlement.release(attempt - 1, delay_seconds=_ELSEWHERE_SECONDS)
            return  # a worker of another version of the app serves it
        found = store.read(noted)
        if moved := outdated(found, tables(definition)):
            settlement.release(attempt - 1, delay_seconds=_ELSEWHERE_SECONDS, error_class="LayerCarried",
                               error=storable(moved))
            return  # the same
        said = _serve(store, definition, Subject(key, account, size), asked, fence, check, remaining, events,
                      found)
        message = storable("; ".join(text for texts in said.values() for text in texts)) or None
        settlement.finish(status, next((kind for kind, texts in said.items() if texts), None), message)
    except StaleLease:
        raise
    except Stopping:
        settlement.release(attempt - 1)
        status = "pending"
    except Exception as error:
        status, message = _failed(settlement, error, attempt, written)
    events.emit(RunSettled(run_id=run_id, sync=name, subject=key, status=status, error=message))
    store.wake()
    if asked.plan is not None and status != "pending":
        Plans(store).settled(asked.plan)


def _failed(settlement: Settlement, error: Exception, attempt: int, written: int) -> tuple[str, str]:
    """Settle a run that failed: again after a while, until it has no attempts left. `written` is of those before."""
    kind, message = type(error).__name__, storable(f"{error}")
    by_now, seconds = settlement.written()
    again = retried(error, attempt, by_now > written, seconds)
    if again is None:
        if not isinstance(error, PlanRefused):
            message = f"given up after {attempt} attempts that came no further: {message}"
        settlement.finish("failed", kind, message)
        return "failed", message
    counted, seconds = again
    settlement.release(counted, delay_seconds=seconds, error_class=kind, error=message)
    return "pending", message


def _serve(store: Store, definition: SyncDefinition, subject: Subject, options: RunOptions, fence: Fence,
           check: Callable[[], None], remaining: Callable[[], float], events: Events,
           found: Mapping[str, Registered]) -> dict[str, list[str]]:
    """Plan and apply layer after layer, then delete in reverse.

    Return what is to be said, by the error class that it gives the run, the gravest first: what moved since the plan to
    which it is bound was made, what is wrong with the source, and what was not deleted, and why.
    """
    with ExitStack() as stack:
        run = stack.enter_context(opened(definition, subject))
        run.check, run.remaining = check, remaining
        verbs = Verbs(run)
        stack.callback(verbs.close)
        states = layer_states(store, definition, subject, fence, options)
        for layer in definition.layers:
            states[layer.name].identity = found[layer.table].identity
        definition = restricted(definition, options)
        if options.audit is not None:
            return audit_run(definition, run, verbs, states, options.audit)
        bound = binding(store, definition.name, subject.key, options)
        withholding = Withholding(store, events, definition, subject, fence)
        served: list[tuple[LayerPlan, Applier]] = []
        shared: list[Claims] = []
        make_contacts(definition.layers, run, verbs, states)
        for layer in definition.layers:
            claims: Claims | None = None
            if layer.account_scoped and options.keys(layer.name) is None:
                claims = Claims(store, layer.table, subject.account, subject.key, fence)
            plan = bound.plan(layer, run, states) if bound else plan_restricted(layer, run, states, options)
            stack.callback(plan.spool.close)
            withholding.void(plan)
            applier = Applier(plan, run, verbs)
            applier.upserts()
            if claims is not None:
                claims.settle(plan)
                shared.append(claims)
                if layer.on_delete != "keep":
                    claims.absent(plan, lambda: _beside(definition, subject))
            served.append((plan, applier))
        removals = withholding.decide([plan for plan, _ in served])
        if withholding.believed():
            for claims in shared:
                claims.completed()
        if bound:
            for plan, _ in served:
                bound.removals(plan)
        for plan, applier in reversed(served):
            applier.deletes(removals[plan.layer.name])
        wait_for_doubts([plan for plan, _ in served])
        return {"PlanMoved": bound.messages() if bound else [],
                "SourceProblems": [problem for plan, _ in served for problem in plan.problems],
                "DeletesWithheld": withholding.messages()}


def _beside(definition: SyncDefinition, subject: Subject) -> list[str]:
    """The subjects of the same account."""
    return [each.key for each in definition.sync.subjects() if each.account == subject.account]


@contextmanager
def opened(definition: SyncDefinition, subject: Subject) -> Iterator[Run]:
    """The run as user code sees it: its subject loaded afresh, its client connected."""
    load = getattr(definition.sync, "load", None)
    if load is not None:
        value = load(subject.key)
        if value is None:
            raise UnknownSubject(f"{definition.name}: load({subject.key!r}) gave None: the subject is gone; nothing of"
                                 " it was changed")
        subject = replace(subject, value=value)
    client: Any = definition.sync.connect(subject.account)
    with (client if hasattr(client, "__enter__") else nullcontext(client)) as entered:
        yield Run(subject, client=entered)


def layer_states(store: Store, definition: SyncDefinition, subject: Subject,
                 fence: Fence | None = None, options: RunOptions | None = None) -> dict[str, LayerState]:
    """The state of every layer in the scope that this subject gives it, as a run with these options sees it."""
    asked = options or RunOptions()
    return {layer.name: state_type(asked, layer.name, subject.key)(
                store, layer.table, layer.scope(subject.key, subject.account), fence,
                Shapes(store, layer.table),
                {each.table: None if layer.account_scoped else subject.key
                 for each in definition.layers if layer.name in each.targets}, layer.account_scoped,
                field_digests=layer.field_digests)
            for layer in definition.layers}


@contextmanager
def preview(store: Store, definition: SyncDefinition, subject: Subject) -> Iterator[list[LayerPlan]]:
    """Plan every layer without applying any. Nothing is written, and the destination is not asked.

    The plans are closed in the end.
    """
    run = Run(subject)
    load = getattr(definition.sync, "load", None)
    if load is not None:
        run.subject = replace(subject, value=load(subject.key))
    states = layer_states(store, definition, subject)
    with ExitStack() as stack:
        plans: list[LayerPlan] = []
        planned: dict[str, Spool] = {}
        for layer in definition.layers:
            shared = layer.account_scoped and layer.on_delete != "keep"
            claims = Claims(store, layer.table, subject.account, subject.key, None) if shared else None
            plan = plan_layer(layer, run, states[layer.name], states, planned)
            stack.callback(plan.spool.close)
            if claims is not None:
                claims.absent(plan, lambda: _beside(definition, subject))
            planned[layer.name] = plan.spool
            plans.append(plan)
        yield plans
