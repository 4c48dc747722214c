"""A long loop that bears interruptions: each row is done once, whoever goes on with it."""

import time
from datetime import timedelta

from penstock import Penstock, Snooze, current_job
from serving import URL, working

app = Penstock(URL)
ROWS = [{"id": number} for number in range(1, 9)]
done: list[int] = []
attempts: list[int] = []


def rows(after: int | None) -> list[dict[str, int]]:
    """In a program: `select … where id > :after order by id`."""
    print(f"asked for the rows after {after}", flush=True)
    return [row for row in ROWS if row["id"] > (after or 0)]


@app.task
def reindex() -> None:
    attempts.append(current_job().attempt)
    for row in current_job().resume(rows, key="id"):
        if row["id"] == 4 and len(attempts) == 1:
            raise Snooze(timedelta(milliseconds=50), reason="in the middle of row 4")
        done.append(row["id"])
        current_job().checkpoint(percent=100 * row["id"] / len(ROWS))
        while row["id"] == 6 and len(attempts) == 2:
            time.sleep(0.01)  # until the worker is told to stop
            current_job().check()


def stopped_in_the_middle() -> None:
    """A worker that is stopped softly, as by a deploy."""
    app.migrate()
    worker = app.worker()
    worker.start()
    reindex.enqueue()
    while 6 not in done:
        time.sleep(0.01)
    worker.stop()


if __name__ == "__main__":
    stopped_in_the_middle()
    with working(app):
        pass
    print(f"done: {done}")
    print(f"numbers of the attempts: {attempts}")
