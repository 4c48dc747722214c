"""A call with many jobs opens each for itself: one that cannot be read keeps nobody else from being run."""

from typing import Annotated, Any

import msgspec

from penstock import Chunk, Jobs, Penstock, Secret, context
from penstock.testing import drain
from tests.clock import Clock
from tests.conformance.envelopes.conftest import NEW, OLD, Apps


class Document(msgspec.Struct):
    id: int
    text: Annotated[str, Secret] = ""


def test_jobs_of_one_call_have_arguments_contexts_and_faults_of_their_own(apps: Apps, clock: Clock):
    log: list[Any] = []

    def declare(app: Penstock, **options: Any) -> Any:
        @app.task(name="index", chunk=Chunk(size=100, wait=0.01), **options)
        def index(jobs: Jobs[Document]) -> None:
            log.extend((job.arguments.id, job.arguments.text, dict(job.context)) for job in jobs)

        return index

    plain = declare(apps().app)
    plain.enqueue(Document(1, "one"))
    with context(tenant="acme"):
        plain.enqueue(Document(2, "two"))
    foreign = declare(apps({"old": OLD}).app, encrypt=True).enqueue(Document(3, "three"))
    engine = apps({"new": NEW})
    sealed = declare(engine.app, encrypt=True)
    with context(tenant="zeta"):
        own = sealed.enqueue(Document(4, "four"))
    later = declare(apps().app, version=2).enqueue(Document(5, "five"))
    drain(engine.app)
    assert sorted(log) == [(1, "one", {}), (2, "two", {"tenant": "acme"}), (4, "four", {"tenant": "zeta"})]
    states = {id: ended for id, *ended in clock.fetch("select id, state, attempt from penstock.jobs")}
    assert states[own.id] == ["completed", 1]
    assert states[foreign.id] == states[later.id] == ["retryable", 0]
