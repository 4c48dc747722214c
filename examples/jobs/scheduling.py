"""Scheduling: after a wait, at a time, by priority; and a queue that is paused for a while."""

import time
from datetime import UTC, datetime, timedelta

from penstock import Penstock
from serving import URL, working

app = Penstock(URL)


@app.task
def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    with working(app, default=1):
        app.pause("default")
        say.enqueue("second: it was there first, but is less urgent")
        say.using(priority=5).enqueue("first: a point of priority is worth a minute of waiting")
        say.using(run_after=timedelta(seconds=0.4)).enqueue("third: after a wait")
        say.using(run_after=datetime.now(UTC) + timedelta(seconds=0.8)).enqueue("fourth: at a time")
        print("paused: nothing runs", flush=True)
        time.sleep(0.2)
        app.resume("default")
