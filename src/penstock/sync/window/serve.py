"""A window: one execution that serves one run, layer by layer, and settles it whatever happens.

(Serving more than one run in a window comes with admission and windows.)
"""

from collections.abc import Callable

from penstock.domain.errors import PlanRefused, StaleLease, Stopping
from penstock.domain.jobs import storable
from penstock.domain.options import RunOptions
from penstock.domain.records import Subject
from penstock.events import Events, RunSettled
from penstock.store.layers import noted, outdated
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.renamed import tables
from penstock.sync.restricting.planned import Plans
from penstock.sync.serving.layers import serve_layers
from penstock.sync.serving.opening import opened
from penstock.sync.state.fence import Fence
from penstock.sync.state.runs import Settlement, retried

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
        with opened(definition, Subject(key, account, size)) as run:
            run.check, run.remaining = check, remaining
            said = serve_layers(store, events, definition, run, asked, fence, found)
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
