"""Where one run at a time is allowed, the next begins as soon as the one before has ended."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from tests.waiting import until

SUBJECTS = 40


def test_many_short_runs_follow_each_other_without_a_rest(store_url: str):
    begun: list[float] = []

    class Value(Layer[dict[str, Any]]):
        key = "id"

        def source(self, run: Run) -> Any:
            begun.append(time.monotonic())
            yield {"id": run.subject.key}
            return Complete(1)

        def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
            return record

        def create(self, changes: list[Change], run: Run) -> list[Done]:
            return [Done(change.key) for change in changes]

        update = delete = create

    with Penstock(store_url) as app:
        @app.sync("values", max_concurrent=1, per_account=1)
        class ValuesSync(Sync[str]):
            layers = [Value]

            def subjects(self) -> Iterator[Subject]:
                return iter([Subject(f"s{number}") for number in range(SUBJECTS)])

        app.migrate()
        app.request([{"sync": "values", "subject": f"s{number}", "account": "all", "priority": 0, "reason": ""}
                     for number in range(SUBJECTS)])
        worker = app.worker()
        worker.start()
        try:
            until("every run has begun", lambda: len(begun) == SUBJECTS, 60)
        finally:
            worker.stop()
    apart = sorted(later - earlier for earlier, later in pairwise(begun))
    # The loops that do give way to the claim rest for longer: then no two runs would be so close. On a busy machine
    # some are not, so a quarter of them tells.
    assert apart[len(apart) // 4] < 0.2
