"""Retention: how long jobs that have ended are kept, by task and by what they came to; and counters of them."""

from datetime import timedelta

from penstock import Penstock, Retention, RetryPolicy
from serving import URL, working

app = Penstock(URL)


@app.task(retention=Retention(completed=timedelta(minutes=10), discarded=timedelta(days=90)),
          retry=RetryPolicy(max_attempts=1))
def import_row(number: int) -> None:
    if number % 10 == 0:
        raise ValueError(f"row {number} has no name")


if __name__ == "__main__":
    with working(app):
        app.enqueue_many(import_row.call(number) for number in range(1, 101))
    for count in app.counts():  # maintained, so that nobody counts a large table
        print(count.queue, count.state, count.jobs)
    app.close()
