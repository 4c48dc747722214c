"""Retries and ends: what an attempt says of its own end, and what ends it before its time."""

import time
from datetime import timedelta

from penstock import Cancel, Penstock, Retry, RetryPolicy, Snooze, current_job
from serving import URL, working

app = Penstock(URL)
QUICKLY = RetryPolicy(max_attempts=3, base_seconds=0.05)
asked: list[str] = []


def said(text: str) -> None:
    print(f"attempt {current_job().attempt}: {text}", flush=True)


@app.task(retry=QUICKLY)
def fetch(report: str) -> object:
    """`Snooze`, `Retry` and `Cancel` may be returned or raised."""
    asked.append(report)
    match asked.count(report):
        case 1:
            said("not there yet: snoozed, which costs no attempt")
            return Snooze(timedelta(seconds=0.05))
        case 2:
            said("busy: to be tried again, which costs one")
            raise Retry(timedelta(seconds=0.05), reason="busy")
        case 3:
            said("a failure: tried again as the policy says")
            raise ConnectionError("lost")
        case _:
            said("withdrawn: cancelled by itself")
            return Cancel("the report was withdrawn")


@app.task(retry=RetryPolicy(max_attempts=1), timeout=timedelta(seconds=0.2))
def render(pages: int) -> None:
    """A thread is told by its next `check` or `checkpoint`; an `async` task is cancelled."""
    for page in range(pages):
        time.sleep(0.02)
        current_job().checkpoint(percent=100 * page / pages, note=f"page {page}")


@app.task(delivery="at_most_once")
def announce() -> None:
    """Settled before it begins: whatever happens then, it is not run twice."""
    raise RuntimeError("nobody knows how far it came")


if __name__ == "__main__":
    with working(app):
        fetch.enqueue("sales")
        render.enqueue(1_000)
        announce.enqueue()
    for count in app.counts():
        print(count.task.rpartition(".")[2], count.state)
    app.close()
