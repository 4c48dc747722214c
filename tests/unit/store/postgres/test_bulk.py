"""Jobs by the thousand, where others draw numbers at the same time."""

import json
from typing import Any

import psycopg

from penstock import Penstock


def test_numbers_with_gaps_reach_the_calls_that_they_are_for(postgres_url: str):
    with Penstock(postgres_url) as app, psycopg.connect(postgres_url, autocommit=True) as admin:
        @app.task(name="take")
        def take(number: int) -> None: ...

        app.migrate()
        admin.execute("alter sequence penstock.job_seq increment by 3")
        jobs = app.enqueue_many(take.call(number) for number in range(2500))
        ids = [job.id for job in jobs]
        assert ids == list(range(ids[0], ids[0] + 3 * 2500, 3))
        rows: list[Any] = admin.execute("select id, arguments from penstock.live_jobs order by id").fetchall()
        found = [(id, json.loads(arguments)["number"]) for id, arguments in rows]
        assert found == list(zip(ids, range(2500), strict=True))
        ready = "select array_agg(id order by rank, id), max(jobs) from penstock.ready_jobs"
        assert admin.execute(ready).fetchone() == (ids, 1)


def test_numbers_drawn_together_share_ready_rows(postgres_url: str):
    with Penstock(postgres_url) as app, psycopg.connect(postgres_url, autocommit=True) as admin:
        @app.task(name="take")
        def take(number: int) -> None: ...

        app.migrate()
        first = app.enqueue_many(take.call(number) for number in range(1250))[0].id
        rows = admin.execute("select id, jobs from penstock.ready_jobs order by id").fetchall()
        assert rows == [(first + start, min(100, 1250 - start)) for start in range(0, 1250, 100)]
