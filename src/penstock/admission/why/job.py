"""Why a job waits."""

from collections.abc import Collection
from typing import Any, NamedTuple

from penstock.admission.why.answer import MOST, Answer, counted, moment, said
from penstock.admission.why.line import judged, tell
from penstock.admission.why.serving import Serving
from penstock.domain.jobs import FINAL_STATES
from penstock.domain.names import did_you_mean
from penstock.store.port import Store, Transaction

_MINUTE_MS = 60_000
_NAMED = 3
"""So many of those that a job waits for are told of."""
_LONGEST_CURSOR = 200


class _Job(NamedTuple):
    id: int
    task: str
    queue: str
    priority: int
    state: str
    attempt: int
    max_attempts: int
    run_at: int
    enqueued_at: int
    attempted_at: int | None
    finished_at: int | None
    error_class: str | None
    error: str | None
    worker: str | None
    line: str | None
    also: str | None
    in_order: Any
    deadline_at: int | None
    percent: float | None
    note: str | None
    cursor: str | None
    asked_at: int | None
    paused_at: int | None
    waits: int | None
    now: int

    @property
    def rank(self) -> int:
        return self.run_at - self.priority * _MINUTE_MS


def why_job(store: Store, job_id: int, tasks: Collection[str]) -> Answer:
    """Say why a job waits, or what became of it. `tasks` are the names that the asking app declares."""
    return store.read(lambda tx: answered(tx, job_id, tasks))


def answered(tx: Transaction, job_id: int, tasks: Collection[str], *, others: bool = True) -> Answer:
    """Why one job waits; with `others`, and why those do that it waits for."""
    row = tx.row("why_job", {"id": job_id})
    if row is None:
        return Answer(f"job {job_id}", "unknown", "unknown", f"there is no job {job_id}: it was never enqueued, or it"
                      " ended and was removed when its retention was over")
    job = _Job(*row)
    answer = Answer(f"job {job.id}: task {job.task} in queue {job.queue}", job.state, "unknown", "")
    if job.state in FINAL_STATES:
        _ended(answer, job)
    elif job.state == "executing":
        _executing(answer, job)
    else:
        _waiting(tx, answer, job, tasks, others)
    return answer


def _ended(answer: Answer, job: _Job) -> None:
    assert job.finished_at is not None
    answer.waits, answer.reason = "ended", f"it ended as {job.state} on {moment(job.finished_at)}"
    if job.error or job.error_class:
        answer.reason += f": {said(job.error_class, job.error)}"
    answer.also("attempts", f"{job.attempt} of {job.max_attempts}")


def _executing(answer: Answer, job: _Job) -> None:
    since = f" since {moment(job.attempted_at)}" if job.attempted_at is not None else ""
    worker = job.worker or "(gone: it is rescued soon)"
    answer.waits = "executing"
    answer.reason = f"worker {worker} has been running it{since}, attempt {job.attempt} of {job.max_attempts}"
    _progress(answer, job)
    if job.asked_at is not None:
        answer.also("cancelled", f"it was asked to end on {moment(job.asked_at)}")


def _progress(answer: Answer, job: _Job) -> None:
    if job.percent is not None or job.note:
        percent = "" if job.percent is None else f"{job.percent:g} % "
        answer.also("progress", f"{percent}{job.note or ''}".strip())
    if job.cursor is not None:
        shown = job.cursor if len(job.cursor) <= _LONGEST_CURSOR else f"{job.cursor[:_LONGEST_CURSOR]}…"
        answer.also("cursor", shown)


def _waiting(tx: Transaction, answer: Answer, job: _Job, tasks: Collection[str], others: bool) -> None:
    serving = Serving(tx)
    if job.state in ("scheduled", "retryable"):
        _not_due(answer, job)
    elif job.waits:
        _held(tx, answer, job, tasks if others else None)
    elif job.state == "pending":
        _in_line(tx, answer, job, serving, tasks)
    else:
        _ready(tx, answer, job)
    _progress(answer, job)
    if job.attempt and job.state != "retryable" and (job.error or job.error_class):
        answer.also("last error", said(job.error_class, job.error))
    if job.task not in tasks:
        near = did_you_mean(job.task, tasks)
        answer.because("unknown task", f"this app declares no task {job.task!r}{near}: a worker without it puts the job"
                       " off for a minute, time and again, until one has it")
    if nobody := serving.nobody(job.queue):
        answer.because("no worker", nobody)
    if job.paused_at is not None:
        answer.because("paused", f"queue {job.queue} has been paused since {moment(job.paused_at)}")
    _pointless(tx, answer, job)


def _not_due(answer: Answer, job: _Job) -> None:
    when = f"it is due on {moment(job.run_at)}"
    if job.run_at <= job.now:
        when = f"it has been due since {moment(job.run_at)}, and the next step of upkeep makes it available"
    answer.waits, answer.until_at = "scheduled", job.run_at
    answer.reason = when
    if job.state == "retryable":
        answer.waits = "retry"
        error = said(job.error_class, job.error)
        answer.reason = f"attempt {job.attempt} of {job.max_attempts} failed ({error}); {when}"
        if job.in_order:
            answer.also("line", f"{job.line}: it keeps its place, since its line goes in order")


def _held(tx: Transaction, answer: Answer, job: _Job, tasks: Collection[str] | None) -> None:
    """What it waits for, and (told of by their `tasks`) why that has not ended."""
    ids = [id for (id,) in tx.rows("why_waits", {"id": job.id, "count": _NAMED + 1})]
    more = " and others" if len(ids) > _NAMED else ""
    answer.waits = "jobs"
    answer.reason = f"it runs after {', '.join(map(str, ids[:_NAMED]))}{more}, and waits for {job.waits} of them"
    for id in ids[:_NAMED] if tasks is not None else ():
        batch = tx.row("why_batch", {"id": id})
        if batch is not None:
            closed, total, pending, finished_at = batch
            left = f"{pending:,} of its {counted(total, 'job')} have not ended"
            if finished_at is not None:
                left = "it has ended, and the next step of a dispatcher releases this job, or cancels it"
            answer.also(f"batch {id}", left if closed else f"{left}, and it is open: somebody has to close it")
            continue
        other = answered(tx, id, tasks or (), others=False)
        then = "; the next step of a dispatcher releases this job, or cancels it"
        answer.also(f"job {id}", f"{other.reason}{then}" if other.state in FINAL_STATES else
                    f"{other.state}: {other.reason}")


def _in_line(tx: Transaction, answer: Answer, job: _Job, serving: Serving, tasks: Collection[str]) -> None:
    assert job.line is not None
    paused = {what.removeprefix("key:"): at for what, at in tx.rows("pauses")}
    found = judged(tx, job.line, None, job.now, paused.keys() & {job.line, job.also})
    before = tx.row("why_line_before", {"line": job.line, "rank": job.rank, "id": job.id, "count": MOST + 1})
    if found is None:
        answer.waits = "turn"
        answer.reason = f"it has just joined the line {job.line}: the next step of a dispatcher looks at it"
        if serving.dispatcher:
            answer.because("no worker", serving.dispatcher)
        return
    tell(tx, answer, found, int(before[0]) if before else 0, "job")
    if found.served_id is not None:
        holder = answered(tx, found.served_id, tasks)
        if holder.state not in (*FINAL_STATES, "unknown"):
            answer.also("under way", f"job {found.served_id}, {holder.state}: {holder.reason}")
    for each in (job.line, job.also):
        if each in paused:
            answer.also("paused", f"{each} since {moment(paused[each])}")


def _ready(tx: Transaction, answer: Answer, job: _Job) -> None:
    row = tx.row("why_ready_before", {"queue": job.queue, "rank": job.rank, "id": job.id, "count": MOST + 1})
    before = int(row[0]) if row else 0
    answer.waits = "claim"
    if before:
        go = "goes" if before == 1 else "go"
        answer.reason = f"{counted(before, 'job')} of queue {job.queue} {go} before it"
    else:
        answer.reason = f"it is next in queue {job.queue}: a worker claims it as soon as a slot is free"


def _pointless(tx: Transaction, answer: Answer, job: _Job) -> None:
    """What will be settled without being run."""
    if row := tx.row("why_marked", {"id": job.id}):
        answer.because("stale", f"it is stale: tag {row[0]} was invalidated on {moment(row[1])}, after it was enqueued."
                       " When its turn comes it ends as cancelled, unrun")
    elif job.deadline_at is not None and job.deadline_at <= job.now:
        answer.because("stale", f"its deadline was {moment(job.deadline_at)}. When its turn comes it ends as cancelled,"
                       " unrun")
    elif job.deadline_at is not None:
        answer.also("deadline", moment(job.deadline_at))
