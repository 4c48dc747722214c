"""The example of limits: requests spend, and what the API refuses is tried again at no attempt."""

from pathlib import Path

import pytest

from tests.clock import Clock
from tests.connectors.http.server import Answer, Api
from tests.engine import Engine
from tests.examples.imported import imported

EXAMPLE = Path(__file__).parents[2] / "examples" / "limits"


def test_a_job_that_meets_a_closed_gate_goes_again_at_no_attempt(
        store_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with Api() as api:
        monkeypatch.setenv("CRM_URL", api.url)
        monkeypatch.setenv("PENSTOCK_URL", store_url)
        with imported(EXAMPLE / "crm.py", monkeypatch) as crm, crm.app:
            engine = Engine(crm.app, clock)
            api.on("GET /contacts/7", Answer(429, headers={"Retry-After": "120"}))
            for _ in range(2):
                crm.greet.enqueue(7)
            refused, held = [engine.execute(job) for job in engine.claim("default", 2)]
            assert (refused.state, refused.error_class) == ("retryable", "Throttled")
            assert (held.state, held.counted, held.error_class) == ("scheduled", 0, "GateClosed")
            assert 100_000 < held.delay_ms <= 120_000
            assert len(api.seen) == 1
            assert crm.app.gate("crm").open()
            api.on("GET /contacts/7", Answer(json={"name": "Ann"}))
            crm.greet.enqueue(7)
            [job] = engine.claim("default", 1)
            assert engine.execute(job).state == "completed"
    assert capsys.readouterr().out == "Dear Ann\n"
