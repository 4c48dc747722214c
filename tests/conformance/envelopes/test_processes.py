"""What is sealed is opened for a child as for a thread, marks hold there, and middleware stays with the worker."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Keyring, Penstock, RetryPolicy, context
from tests.conformance import process_app as bodies
from tests.conformance.envelopes.conftest import NEW
from tests.conformance.workers import Workers


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"poll_seconds": 0.05, "encryption": Keyring({"new": NEW})}


class Around:
    """Notes where it runs, and for whom."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str, object]] = []

    def around_run(self, attempt: Any) -> Iterator[None]:
        try:
            yield
        finally:
            self.seen.append((os.getpid(), attempt.task, attempt.context["tenant"]))


def test_a_sealed_job_with_a_marked_argument_and_middleware(app: Penstock, workers: Workers, tmp_path: Path):
    around = Around()
    app.use(around)
    bodies.declare(app, bodies.whispers, encrypt=True, retry=RetryPolicy(max_attempts=1))
    path = str(tmp_path / "said")
    with context(tenant="acme"):
        told, failed = (app.tasks["whispers"].enqueue(path, word) for word in ("open sesame", "wrong sesame"))
    sealed = workers.clock.fetch("select arguments from penstock.live_jobs order by id")
    assert not [text for (text,) in sealed if "sesame" in text]
    workers.start({"default": 1})
    workers.wait_for({"completed": 1, "discarded": 1})
    child, heard = Path(path).read_text().split(maxsplit=1)
    assert int(child) != os.getpid()
    assert heard == "open sesame for acme\n"
    assert workers.job(told.id, "state, error") == ("completed", None)
    error = workers.job(failed.id, "error")
    assert "is no way in" in error
    assert "sesame" not in error
    assert around.seen == [(os.getpid(), "whispers", "acme")] * 2
