"""One job with all that is known of it, why it waits, and what can be done with it."""

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

import msgspec

from penstock.admission.why import Answer
from penstock.domain.jobs import FINAL_STATES
from penstock.domain.listing import JobFound
from penstock.queue.batches import BatchStatus
from penstock.web.asked import Number
from penstock.web.declared import Action, Done, NotFound, Seen, View


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which job. With `show` its arguments and its result are shown, to whoever has the scope `sensitive`."""

    id: Number
    show: bool = False


class One(msgspec.Struct, frozen=True, kw_only=True):
    """Which job, and why it is acted on."""

    id: Number
    reason: str = ""


class JobPage(msgspec.Struct, frozen=True):
    """A job. Its `arguments`, `result` and `cursor` are empty unless they are `shown`. `last_line` is that of its
    error, `last_lines` are those of its `failures`; `why` says what it waits for, where it waits.
    """

    job: JobFound
    shown: bool
    last_line: str
    last_lines: list[str]
    why: Answer | None
    batch: BatchStatus | None
    traces: list["AttemptTraced"]
    """Those of its attempts whose traces were kept, the newest first."""


class AttemptTraced(msgspec.Struct, frozen=True):
    """The key of an attempt's trace, and when the attempt began."""

    key: str
    began_at: int


class WhyPage(msgspec.Struct, frozen=True):
    """Why a job waits, or what became of it. `next` are pages to look at next: what they say, and their paths."""

    id: int
    answer: Answer
    next: list[tuple[str, str]]


def found(seen: Seen, id: int) -> JobFound:
    job = seen.app.job_found(id)
    if job is None:
        raise NotFound(f"There is no job {id}", "It was never enqueued, or it ended and was removed when its retention"
                       " was over.")
    return job


def load(seen: Seen, asked: Asked) -> JobPage:
    """A job with all that is known of it; its arguments and its result only if they are asked for."""
    job = found(seen, asked.id)
    shown = asked.show and seen.may("sensitive")
    error = seen.masked(job.error)
    job = replace(job, error=error or None, note=seen.masked(job.note) or None,
                  failures=tuple(replace(each, error=seen.masked(each.error) or None) for each in job.failures),
                  arguments=seen.masked_json(job.arguments) if shown else "",
                  result=seen.masked_json(job.result) if shown and job.result is not None else None,
                  cursor=seen.masked_json(job.cursor) if shown and job.cursor is not None else None)
    waits = job.state not in (*FINAL_STATES, "executing")
    return JobPage(job, shown, _last_line(job.error_class, error),
                   [_last_line(each.error_class, each.error) for each in job.failures],
                   _masked(seen, seen.app.why_job(job.id)) if waits else None,
                   seen.app.batch_status(job.batch) if job.batch is not None else None,
                   [AttemptTraced(str(key), key.began_at) for key in seen.app.traces_of_job(job)] if job.attempt
                   else [])


def _last_line(error_class: str | None, error: str | None) -> str:
    """What an error said, without its class, which stands before it."""
    line = (error or "").strip().rpartition("\n")[2].strip()
    return re.sub(rf"^([\w.]+\.)?{re.escape(error_class or '')}(: |$)", "", line)


def load_why(seen: Seen, asked: Asked) -> WhyPage:
    """Why a job waits, or what became of it."""
    answer = _masked(seen, seen.app.why_job(asked.id))
    job = seen.app.job(asked.id)
    return WhyPage(asked.id, answer, [] if job is None else _next(answer, job.queue))


def _next(answer: Answer, queue: str) -> list[tuple[str, str]]:
    """What can be looked at, or done, about what a job waits for."""
    of_queue = {"queue": queue, "state": "executing"}
    pages = {"no worker": [("Workers", "/workers")], "paused": [("Queues, to resume it", "/queues")],
             "gate": [("Limits and gates", "/limits")], "room": [("Limits and gates", "/limits")],
             "pace": [("Limits and gates", "/limits")], "unknown task": [("Workers", "/workers")],
             "claim": [(f"What runs in {queue}", f"/jobs?{urlencode(of_queue)}"), ("Workers", "/workers")]}
    return pages.get(answer.waits, [])


def _masked(seen: Seen, answer: Answer) -> Answer:
    facts = [msgspec.structs.replace(fact, says=seen.masked(fact.says)) for fact in answer.facts
             if fact.what != "cursor" or seen.may("sensitive")]
    return msgspec.structs.replace(answer, reason=seen.masked(answer.reason), facts=facts)


def _doing(act: Callable[[Seen, int, str], object], said: str) -> Callable[[Seen, One], Done]:
    def do(seen: Seen, asked: One) -> Done:
        before = found(seen, asked.id).state
        came = act(seen, asked.id, asked.reason)
        job = seen.app.job_found(asked.id)
        after = job.state if job is not None else "removed"
        text = (f"job {asked.id} {said}" if came else
                f"nothing was done: job {asked.id} was {before} by then, or another job has its unique key")
        if came == "executing":
            text = f"job {asked.id} runs, and was asked to end: it does at its next check or checkpoint"
        return Done(text, f"/jobs/{asked.id}", f"job:{asked.id}", before, f"{after}: {asked.reason}".rstrip(": "))

    return do


def _retry(seen: Seen, id: int, _: str) -> object:
    """Once more: what has ended is put back, what is to be retried need not wait."""
    return seen.app.act_on_ids("retry", [id]).done


VIEWS = [
    View(path="/jobs/{id}", asked=Asked, load=load, template="jobs/job.html", nav="jobs", live=2.0,
         title=lambda m: f"Job {m.job.id}"),
    View(path="/why/waiting/job/{id}", asked=Asked, load=load_why, template="why/job.html", nav="jobs", live=5.0,
         exact=True, title=lambda m: f"Why is job {m.id} waiting?"),
]
ACTIONS = [
    Action(path="/jobs/{id}/retry", asked=One, do=_doing(_retry, "was put back to run again")),
    Action(path="/jobs/{id}/run-now", asked=One,
           do=_doing(lambda seen, id, _: seen.app.run_now(id), "is due now")),
    Action(path="/jobs/{id}/cancel", asked=One,
           do=_doing(lambda seen, id, reason: seen.app.cancel(id, reason), "was cancelled")),
    Action(path="/jobs/{id}/discard", asked=One,
           do=_doing(lambda seen, id, reason: seen.app.discard(id, reason), "was discarded")),
]
