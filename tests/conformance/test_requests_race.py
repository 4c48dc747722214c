"""Changes and their requests, committed while workers serve runs of the same subjects: not one is missed."""

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from penstock import Penstock
from penstock.sync import Change, Complete, Done, Layer, Run, Subject, Sync
from tests.waiting import until

SUBJECTS, CHANGES = 3, 20


class Numbers:
    """The application's own table, in the store's database: a number for each subject."""

    def __init__(self, url: str) -> None:
        self.url = url
        connection = self.connected()
        connection.execute("create table numbers (subject text primary key, number integer)")
        for subject in range(SUBJECTS):
            connection.execute(f"insert into numbers values ('s{subject}', 0)")
        connection.commit()
        connection.close()

    def connected(self) -> Any:
        """A connection in which a transaction is open."""
        if self.url.startswith("sqlite:"):
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
            connection.execute("begin immediate")
            return connection
        return psycopg.connect(self.url)

    def of(self, subject: str) -> int:
        connection = self.connected()
        row = connection.execute(f"select number from numbers where subject = '{subject}'").fetchone()
        connection.rollback()
        connection.close()
        return int(row[0])


def app_over(numbers: Numbers, sent: dict[str, int]) -> Penstock:
    app = Penstock(numbers.url, poll_seconds=0.1)

    class Value(Layer[dict[str, Any]]):
        key = "id"

        def source(self, run: Run) -> Any:
            yield {"id": run.subject.key, "number": numbers.of(run.subject.key)}
            return Complete(1)

        def render(self, record: dict[str, Any], run: Run) -> dict[str, Any]:
            return {"number": record["number"]}

        def create(self, changes: list[Change], run: Run) -> list[Done]:
            for change in changes:
                sent[change.key] = change.payload["number"]
            return [Done(change.key) for change in changes]

        update = delete = create

    @app.sync("numbers", max_concurrent=SUBJECTS, per_account=SUBJECTS)
    class NumbersSync(Sync[str]):
        layers = [Value]

        def subjects(self) -> Iterator[Subject]:
            return iter([Subject(f"s{number}") for number in range(SUBJECTS)])

    app.migrate()
    return app


@pytest.mark.parametrize("rolled_back", [False, True])
def test_no_change_is_missed(store_url: str, rolled_back: bool) -> None:
    sent: dict[str, int] = {}
    numbers = Numbers(store_url)
    apps = [app_over(numbers, sent) for _ in range(2)]
    workers = [app.worker() for app in apps]
    for worker in workers:
        worker.start()

    def change(subject: int) -> None:
        for number in range(1, CHANGES + 1):
            connection = numbers.connected()
            connection.execute(f"update numbers set number = {number} where subject = 's{subject}'")
            apps[0].request([{"sync": "numbers", "subject": f"s{subject}", "account": "a", "priority": 0,
                              "reason": f"to {number}"}], connection)
            if rolled_back and number % 3 == 0:
                connection.rollback()
            else:
                connection.commit()
            connection.close()

    changing = [threading.Thread(target=change, args=(subject,)) for subject in range(SUBJECTS)]
    for thread in changing:
        thread.start()
    for thread in changing:
        thread.join()
    last = max(number for number in range(1, CHANGES + 1) if not (rolled_back and number % 3 == 0))
    wanted = {f"s{subject}": last for subject in range(SUBJECTS)}
    try:
        until("every last number was sent", lambda: sent == wanted, seconds=90)  # a busy disk answers late
    finally:
        for worker in workers:
            worker.stop()
        for app in apps:
            app.close()
