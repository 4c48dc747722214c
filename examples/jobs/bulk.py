"""Claim and ack: many jobs in one round trip, claimed and acked in batches; and one whose ack may not wait."""

from penstock import Penstock
from serving import URL, working

app = Penstock(URL)
points: list[int] = []
charged: list[int] = []


@app.task
def add(number: int) -> None:
    points.append(number)


@app.task(ack="each")
def charge(pence: int) -> None:
    """Written to the store before its slot takes another job: a crash repeats no job that had ended."""
    charged.append(pence)


if __name__ == "__main__":
    with working(app):
        jobs = app.enqueue_many(add.call(number) for number in range(2_000))
        app.enqueue_many(charge.call(pence) for pence in (250, 990))
    print(f"{len(jobs)} jobs enqueued, {len(points)} run, {sum(points)} points, {sum(charged)} pence")
