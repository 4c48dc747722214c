"""Dependencies and batches in the model: graphs of calls that wait for each other, and for what was there before."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from penstock import Penstock
from penstock.admission.waits import fold_waits
from penstock.domain.jobs import Call, Job
from penstock.store.port import Store
from tests.clock import Clock
from tests.model.jobs_model import Model, Spec
from tests.model.specs import LINED, ONLY, PICK, PLAIN
from tests.model.waits_model import Batch

NOBODY = 10**12


class WaitRules:
    """Rules of the state machine of jobs."""

    app: Penstock
    store: Store
    clock: Clock
    model: Model
    now: int

    def call(self, spec: Spec, after: Sequence[Any] = (), on_failure: Any = "cancel") -> Call:
        raise NotImplementedError

    @rule(specs=st.lists(PLAIN | LINED.filter(lambda spec: not spec.key), min_size=1, max_size=3),
          unique=st.none() | ONLY, shape=st.integers(0, 2**8 - 1), picks=st.lists(PICK, max_size=2),
          anyway=st.booleans(), then=st.none() | PLAIN, as_batch=st.booleans())
    def graph(self, specs: list[Spec], unique: Spec | None, shape: int, picks: list[int], anyway: bool,
              then: Spec | None, as_batch: bool) -> None:
        """Each call waits for those of the earlier ones that the bits of `shape` say, the last for jobs of before.
        There is one unique job at most: two of them might be one, and wait for itself."""
        specs = [*([unique] if unique else []), *specs]
        before = [*self.model.jobs, *self.model.batches, NOBODY]
        calls: list[Call] = []
        ties: list[tuple[int, int | Call]] = []
        for place, spec in enumerate(specs):
            after: list[Any] = [each for number, each in enumerate(calls) if shape >> (place + number * 2) & 1]
            if place == len(specs) - 1:
                after += dict.fromkeys(before[pick % len(before)] for pick in picks)
            calls.append(self.call(spec, after, "run" if anyway else "cancel"))
            ties += [(place, on) for on in after]
        if as_batch:
            batch = self.app.batch(calls, None if then is None else self.call(then))
            jobs: list[Job] = [*batch.jobs, *([batch.then] if batch.then else [])]
            self.model.batches[batch.id] = Batch(closed=True)
        else:
            jobs = self.app.enqueue_many(calls)
        waits = [(jobs[place].id, on if isinstance(on, int) else jobs[next(
            number for number, each in enumerate(calls) if each is on)].id, anyway) for place, on in ties]
        given = [*specs, then] if as_batch and then else specs
        if as_batch and then:
            waits.append((jobs[-1].id, batch.id, True))
        self.model.enqueue(given, [(job.id, job.skipped) for job in jobs], self.now, waits,
                           batch.id if as_batch else None, len(specs))

    @precondition(lambda self: self.model.told or self.model.looked_for or self.model.batches)
    @rule()
    def fold(self) -> None:
        """What a dispatcher makes of the news, before it looks at lines."""
        while self.store.write(lambda tx: fold_waits(tx, True, dict)).more:
            pass
        self.model.fold(self.now)
        for id, batch in self.model.batches.items():
            status = self.app.batch_status(id)
            assert status is not None
            assert (status.total, status.completed, status.cancelled, status.discarded) == batch.told

    @invariant()
    def what_waits_waits_for_what_it_should(self) -> None:
        held = self.clock.fetch("select id, waits from penstock.live_jobs where waits > 0")
        assert dict(held) == self.model.held()  # type: ignore[arg-type]
        waits = self.clock.fetch("select on_id, job_id, anyway from penstock.job_waits")
        assert {(on, id): bool(anyway) for on, id, anyway in waits} == self.model.waits
