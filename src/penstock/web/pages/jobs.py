"""The list of jobs: filtered, page by page, with what can be done to those that are ticked, or to all that match."""

import msgspec

from penstock.domain.jobs import JobState
from penstock.domain.listing import FITS, Act, JobListed
from penstock.web.declared import Seen, View
from penstock.web.pages.looking_for import TIMES, Filtered

LIMIT = 50
ACTS: dict[Act, str] = {"retry": "Retry", "run_now": "Run now", "cancel": "Cancel", "discard": "Discard"}
"""What can be done to jobs, and what its button says."""
_MOST_OFFERED = 200


class Asked(Filtered, frozen=True, kw_only=True):
    """Which jobs, and from where in the list on."""

    after: str | None = None


class Jobs(msgspec.Struct, frozen=True):
    """A page of the list. `states` is how many jobs there are in each state, of the task and the queue that are asked
    for; times are milliseconds since 1970, by the database's clock, which said `now`."""

    jobs: list[JobListed]
    after: str | None
    looked_at: int
    back_to: int | None
    cut_short: bool
    now: int
    states: dict[str, int]
    total: int
    tasks: list[str]
    queues: list[str]
    errors: list[str]
    acts: dict[Act, str]
    times: tuple[str, ...]
    all_acts: dict[Act, str]
    """Those that can be done to all that match: they need a state to go by."""


def load(seen: Seen, asked: Asked) -> Jobs:
    """Jobs, the newest first; what waits for its time by when it is due, what runs by how long."""
    wanted = asked.filter(seen.app)
    page = seen.app.jobs(**wanted.given, after=asked.after, limit=LIMIT)  # type: ignore[arg-type]
    counts = seen.app.counts()
    states = dict.fromkeys(JobState, 0)
    for each in counts:
        if asked.task in (None, each.task) and asked.queue in (None, each.queue):
            states[JobState(each.state)] += each.jobs
    tasks = {*seen.app.tasks, *(each.task for each in counts)}
    queues = {each.queue for each in counts}
    acts = {act: label for act, label in ACTS.items() if wanted.state is None or wanted.state in FITS[act]}
    return Jobs(page.jobs, page.after, page.looked_at, page.back_to, page.cut_short, seen.app.now_ms(),
                {str(state): jobs for state, jobs in states.items()}, sum(states.values()),
                sorted(tasks)[:_MOST_OFFERED], sorted(queues)[:_MOST_OFFERED],
                sorted({each.error_class for each in page.jobs if each.error_class}), acts, TIMES,
                acts if wanted.state is not None else {})


VIEWS = [View(path="/jobs", asked=Asked, load=load, template="jobs/list.html", title="Jobs", nav="jobs", live=5.0)]
