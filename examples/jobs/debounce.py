"""Conflicts: what is typed is indexed once, with the last text; a report comes when it was first asked for; and what
changes while a job runs is not missed."""

import threading
from datetime import timedelta

from penstock import Penstock, Unique
from serving import URL, working

app = Penstock(URL)
indexed, begun, changed = threading.Event(), threading.Event(), threading.Event()


@app.task(unique=Unique(args=("document",), conflict="replace"))
def index(document: int, text: str) -> None:
    print(f"indexed document {document}: {text}", flush=True)
    indexed.set()


@app.task(unique=Unique(args=("account",), conflict="keep_schedule"))
def report(account: int, balance: int) -> None:
    print(f"account {account} has {balance}", flush=True)


@app.task(unique=Unique(args=("customer",), conflict="replace"))
def sync(customer: int, plan: str) -> None:
    print(f"customer {customer} is on {plan}", flush=True)
    begun.set()
    changed.wait(30)


if __name__ == "__main__":
    app.migrate()
    for text in ("P", "Pen", "Penstock"):
        job = index.using(run_after=timedelta(milliseconds=50)).enqueue(1, text)
        print("replaced:", job.replaced)
    jobs = app.enqueue_many(report.call(7, balance=balance) for balance in (10, 20, 30))
    print("in bulk:", len({job.id for job in jobs}), "of", len(jobs))
    with working(app, default=1):
        indexed.wait(30)
        sync.enqueue(3, "free")
        begun.wait(30)
        for plan in ("silver", "gold"):
            behind = sync.enqueue(3, plan)
        print("one follows:", behind.replaced)
        changed.set()
