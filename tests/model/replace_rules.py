"""Conflicts in the model: calls replace what they meet with their keys, or are put behind it, also several at once."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from penstock import Penstock
from penstock.domain.jobs import Call
from penstock.domain.jobs import Job as Enqueued
from tests.model.jobs_model import TASKS, Job, Key, Model, Spec
from tests.model.specs import KEEPS, PICK, QUEUES

CONFLICTS = st.sampled_from(["replace", "replace", "keep_schedule", "skip"])
OVER = st.tuples(
    st.sampled_from(["mail", "mail", "one", "both"]), QUEUES, st.sampled_from([0, 7]), st.sampled_from([0, 0, 20_000]),
    st.sampled_from([(), ("a",)]), st.sampled_from(["1", "2"]), st.sampled_from(list(KEEPS.values())),
    st.sampled_from([None, 40_000]), st.sampled_from([0, 1]), CONFLICTS).map(
        lambda row: Spec(row[0], row[1], row[2], row[3], tags=row[4], keeps=row[6], period_ms=row[7], value=row[8],
                         key=row[5] if row[0] == "mail" else str(3 + list(TASKS).index(row[0])), conflict=row[9]))


class ReplaceRules:
    """Rules of the state machine of jobs."""

    app: Penstock
    model: Model
    now: int
    connection: Any
    begin: str

    def call(self, spec: Spec, after: Sequence[Any] = (), on_failure: Any = "cancel") -> Call:
        raise NotImplementedError

    @rule(specs=st.lists(OVER, min_size=1, max_size=4), how=st.sampled_from(["own", "own", "commit", "rollback"]))
    def replace(self, specs: list[Spec], how: str) -> None:
        calls = [self.call(spec) for spec in specs]
        if how == "own":
            jobs = self.app.enqueue_many(calls)
        else:
            self.connection.execute(self.begin)
            jobs = self.app.using(connection=self.connection).enqueue_many(calls)
            self.connection.execute(how)
        if how != "rollback":
            enqueued(self.model, specs, jobs, self.now)

    @precondition(lambda self: self.keys())
    @rule(pick=PICK, specs=st.lists(OVER, min_size=1, max_size=3), how=st.sampled_from(["own", "commit", "rollback"]))
    def replace_what_is_there(self, pick: int, specs: list[Spec], how: str) -> None:
        """Of the keys that are held, those of jobs that run or have ended first."""
        keys = self.keys()
        key = keys[pick % len(keys)]
        task = self.model.jobs[self.model.keys[key].job_id].spec.task
        self.replace([spec._replace(key=key, task=task) for spec in specs], how)

    def keys(self) -> list[str]:
        held = {key: self.model.jobs.get(each.job_id) for key, each in self.model.keys.items()}
        there = [key for key, job in held.items() if job is not None]
        return [key for key in there if (job := held[key]) and (job.holder or job.ended)] or there


def enqueued(model: Model, specs: Sequence[Spec], jobs: Sequence[Enqueued], now: int) -> None:
    """Calls of one enqueue that all have keys, as if they were made one after the other."""
    model.moment += 1
    newest = model.last_id
    touched = []
    for key in dict.fromkeys(spec.key for spec in specs):
        places = [place for place, spec in enumerate(specs) if spec.key == key]
        group = [specs[place] for place in places]
        (id,) = {jobs[place].id for place in places}
        met = model._met(key, now)
        how = becomes(model, group, met, id, now)
        if how in ("new", "behind"):
            assert id > newest, "ids only ever grow"
            model.last_id = max(model.last_id, id)
        else:
            assert id == met
        if how not in ("left", "ended"):
            touched.append(id)
        assert [(jobs[place].skipped, jobs[place].replaced) for place in places] == told(group, how)
    for id in touched:  # calls of one enqueue meet each other, whatever the states
        model._moved(model.jobs[id])


def told(group: Sequence[Spec], how: str) -> list[tuple[bool, bool]]:
    """(skipped, replaced) of each call: the first that makes the job is neither."""
    makes = {"new": 0, "behind": next((place for place, spec in enumerate(group) if spec.conflict != "skip"), -1)}
    replaces = how not in ("left", "ended")
    return [(False, False) if place == makes.get(how, -1) else
            (spec.conflict == "skip" or not replaces, spec.conflict != "skip" and replaces)
            for place, spec in enumerate(group)]


def becomes(model: Model, group: Sequence[Spec], met: int | None, id: int, now: int) -> str:
    """Do to the model what a group of calls with one key does, and say what that was."""
    conflicts = [spec for spec in group if spec.conflict != "skip"]
    last = conflicts[-1] if conflicts else group[0]
    newly = [spec for spec in group if spec.conflict == "replace"]
    due = now + (newly[-1] if newly else group[0]).delay_ms
    deadline_at = None if last.deadline_ms is None else now + last.deadline_ms
    there = None if met is None else model.jobs[met]
    if there is not None and (there.ended or not conflicts):
        return "ended" if there.ended else "left"
    if there is None or there.holder:
        job = Job(id, last, model.moment, due, deadline_at, "scheduled")
        model.jobs[id] = job
    else:
        job = there
        model.asked.discard(id)
        model.cursors.pop(id, None)
        job.spec, job.moment, job.deadline_at, job.attempt, job.lost = last, model.moment, deadline_at, 0, 0
        job.run_at, job.placed = due if newly else job.run_at, False
    if there is not None and there.holder:
        job.waits = 1
        model.waits[there.id, id] = True
        model.looked_for.add(there.id)
    job.state = "pending" if job.waits else "scheduled" if job.run_at > now else job.becomes
    assert last.key
    model.keys[last.key] = Key(id, last.keeps, None if last.period_ms is None else now + last.period_ms)
    return "new" if there is None else "behind" if there is not job else "replaced"
