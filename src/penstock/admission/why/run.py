"""Why the run of a subject waits, or what becomes of the requests for it."""

from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any, NamedTuple

from penstock.admission.runs import Rooms, line_of, room
from penstock.admission.why.answer import MOST, Answer, moment, said
from penstock.admission.why.job import answered
from penstock.admission.why.line import judged, tell
from penstock.admission.why.serving import Serving
from penstock.domain.names import did_you_mean
from penstock.store.port import Store, Transaction

_MOST_REQUESTS, _MOST_SUBJECTS = 10_000, 100_000


class _Run(NamedTuple):
    id: int
    account: str
    status: str
    priority: int
    requested_at: int
    run_at: int
    started_at: int | None
    attempt: int
    job_id: int | None
    error_class: str | None
    error: str | None
    options: str
    now: int


def why_run(store: Store, sync: str, subject: str, *, rooms: Rooms, tasks: Collection[str],
            subjects: Callable[[], Iterable[str]]) -> Answer:
    """Say why a subject is not being brought up to date just now. `subjects` is asked if nothing is known of it."""
    answer = store.read(lambda tx: _answered(tx, sync, subject, rooms, tasks))
    if answer.waits == "unknown":
        known = list(islice(subjects(), _MOST_SUBJECTS))
        if subject in known:
            answer.state, answer.waits = "not requested", "not requested"
            answer.reason = f"it was never requested: `penstock sync {sync} --subject {subject}` does"
        else:
            answer.reason = f"subjects() of {sync} gives no subject {subject!r}{did_you_mean(subject, known)}"
    return answer


def _answered(tx: Transaction, sync: str, subject: str, rooms: Rooms, tasks: Collection[str]) -> Answer:
    answer = Answer(f"{sync} {subject}", "unknown", "unknown", "")
    row = tx.row("why_live_run", {"sync": sync, "subject": subject})
    asked = {"sync": sync, "subject": subject, "count": _MOST_REQUESTS}
    requests = tx.rows("why_requests", asked)
    if row is not None:
        run = _Run(*row)
        answer.about, answer.state = f"{sync} {subject}: run {run.id} of account {run.account}", run.status
        if run.status == "running":
            _running(tx, answer, run, tasks)
        else:
            _pending(tx, answer, run, sync, rooms)
        for request in requests:
            answer.also("request", _request(request, run))
    elif requests:
        _unfolded(tx, answer, requests)
    else:
        _idle(tx, answer, sync, subject)
    return answer


def _running(tx: Transaction, answer: Answer, run: _Run, tasks: Collection[str]) -> None:
    answer.waits, answer.reason = "executing", f"its window has been at work since {moment(run.started_at or run.now)}"
    if run.job_id is None:
        return
    window = answered(tx, run.job_id, tasks)
    if window.waits == "executing":
        answer.reason = f"a window serves it, as job {run.job_id}: {window.reason}"
    elif window.waits == "ended":
        answer.waits = "window"
        answer.reason = f"its window, job {run.job_id}, ended without settling it: the next step of a dispatcher does"
    else:
        answer.waits, answer.until_at = "window", window.until_at
        answer.reason = f"it was admitted, and its window, job {run.job_id}, waits: {window.reason}"
        answer.facts += window.facts


def _pending(tx: Transaction, answer: Answer, run: _Run, sync: str, rooms: Rooms) -> None:
    if run.attempt or run.error_class:
        answer.also("last error", said(run.error_class, run.error) or "none")
    if run.run_at > run.now:
        tried = f"attempt {run.attempt} failed ({said(run.error_class, run.error)}); " if run.error_class else ""
        answer.waits, answer.until_at = "retry", run.run_at
        answer.reason = f"{tried}it is tried again on {moment(run.run_at)}"
    else:
        _in_line(tx, answer, run, sync, rooms)
    if nobody := Serving(tx).dispatcher:
        answer.because("no worker", nobody)


def _in_line(tx: Transaction, answer: Answer, run: _Run, sync: str, rooms: Rooms) -> None:
    line = line_of(sync, run.account)
    paused = {row[0]: row[1] for row in tx.rows("pauses")}
    account = f"account:{line.removeprefix('run:')}"
    running = tx.row("runs_running", {"sync": sync})
    free = room(sync, rooms[sync], running[0] if running else 0, f"sync:{sync}" in paused) if sync in rooms else None
    found = judged(tx, line, free, run.now, {line} if account in paused else set())
    if found is None:
        answer.waits = "turn"
        answer.reason = "it has just joined the line of its account: the next step of a dispatcher looks at it"
        return
    rank = run.requested_at - run.priority * 60_000
    before = tx.row("why_runs_before", {"sync": sync, "account": run.account, "rank": rank, "id": run.id,
                                        "count": MOST + 1})
    tell(tx, answer, found, int(before[0]) if before else 0, "run")
    if f"sync:{sync}" in paused:
        answer.waits = "paused"
    for what, name in ((f"sync:{sync}", f"sync {sync}"), (account, f"account {run.account}")):
        if what in paused:
            answer.also("paused", f"{name} since {moment(paused[what])}")
    for id, subject in tx.rows("why_account_runs", {"sync": sync, "account": run.account}):
        answer.also("under way", f"run {id} of {subject}")


def _unfolded(tx: Transaction, answer: Answer, requests: list[Any]) -> None:
    first = requests[0]
    answer.state, answer.waits = "requested", "unfolded"
    answer.reason = (f"it was requested on {moment(first[4])} ({first[3]}), and the next step of a dispatcher folds"
                     " that into a run")
    if first[1] is None:
        answer.also("account", "the request names none: subjects() is asked for it")
    if nobody := Serving(tx).dispatcher:
        answer.because("no worker", nobody)


def _request(request: Any, run: _Run) -> str:
    _, _, _, reason, requested_at, options = request
    when = f"requested on {moment(requested_at)} ({reason})"
    if run.status == "running":
        return f"{when}: it becomes the next run once this one has ended"
    if options != run.options:
        return f"{when} with other options: it becomes a run once this one has ended"
    return f"{when}: it joins this run at the next step of a dispatcher"


def _idle(tx: Transaction, answer: Answer, sync: str, subject: str) -> None:
    due = tx.row("why_due", {"sync": sync, "subject": subject})
    if due is not None:
        answer.state, answer.waits, answer.until_at = "not requested", "not requested", due[0]
        answer.reason = f"it was not requested yet: `every=` does on {moment(due[0])}"
    rows = tx.rows("runs_page_subject", {"sync": sync, "subject": subject, "status": None, "before": (1 << 63) - 1,
                                         "count": 1})
    if not rows:
        return
    id, status, finished_at, error_class, error = rows[0][0], rows[0][4], rows[0][9], rows[0][20], rows[0][21]
    answer.state, answer.waits = status, "not requested"
    answer.reason = (f"nothing of it waits: run {id}, the last, ended as {status}"
                     f" on {moment(finished_at)}" + (f": {said(error_class, error)}" if error_class else ""))
    if due is not None:
        answer.also("next", f"`every=` requests it on {moment(due[0])}")
