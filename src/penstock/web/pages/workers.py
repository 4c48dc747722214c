"""Workers: what each has told of itself, what it has under way, and the stacks of its slots on demand."""

from dataclasses import replace

import msgspec

from penstock.queue.workers import MOST_JOBS, StacksAnswer, WorkerJob, WorkerRow
from penstock.web.asked import Number
from penstock.web.declared import Action, Done, NotFound, Seen, View

_LIMIT = 100


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """From which worker on."""

    after: int = 0


class OneWorker(msgspec.Struct, frozen=True, kw_only=True):
    """Which worker, by the id of its row."""

    id: Number


class Workers(msgspec.Struct, frozen=True):
    """The workers, and how many jobs of one are counted at most."""

    workers: list[WorkerRow]
    after: int | None
    most_jobs: int = MOST_JOBS


class WorkerPage(msgspec.Struct, frozen=True):
    """One worker. Its `stacks` are for whoever has the scope `sensitive`; None where nobody has asked of late."""

    worker: WorkerRow
    jobs: list[WorkerJob]
    stacks: StacksAnswer | None
    most_jobs: int = MOST_JOBS


def load(seen: Seen, asked: Asked) -> Workers:
    """The workers, drains among them, in the order in which they started."""
    found = seen.app.workers(asked.after, _LIMIT)
    return Workers(found, found[-1].id if len(found) == _LIMIT else None)


def load_one(seen: Seen, asked: OneWorker) -> WorkerPage:
    """A worker with what it has under way."""
    worker = _found(seen, asked.id)
    jobs = [replace(job, note=seen.masked(job.note) or None) for job in seen.app.worker_jobs(asked.id)]
    return WorkerPage(worker, jobs, seen.app.stacks(asked.id) if seen.may("sensitive") else None)


def _found(seen: Seen, id: int) -> WorkerRow:
    worker = seen.app.worker_found(id)
    if worker is None:
        raise NotFound(f"There is no worker {id}", "It has stopped, or it stopped renewing and its jobs were given to"
                       " others.")
    return worker


def ask(seen: Seen, asked: OneWorker) -> Done:
    """Ask a worker what its slots are doing. It answers within seconds, if anything runs."""
    worker = _found(seen, asked.id)
    if not worker.jobs:
        said = f"worker {worker.name} has nothing under way, so there are no stacks to look at"
    elif seen.app.ask_stacks(asked.id):
        said = f"worker {worker.name} was asked for its stacks"
    else:
        said = f"worker {worker.name} no longer renews, so it was not asked"
    return Done(said, f"/workers/{asked.id}", f"worker:{worker.name}", None, "asked for stacks")


VIEWS = [
    View(path="/workers", asked=Asked, load=load, template="workers/list.html", title="Workers", nav="workers",
         live=2.0),
    View(path="/workers/{id}", asked=OneWorker, load=load_one, template="workers/worker.html", nav="workers",
         live=2.0, title=lambda m: f"Worker {m.worker.name}"),
]
ACTIONS = [Action(path="/workers/{id}/stacks", asked=OneWorker, do=ask, scope="sensitive")]
