"""Uniqueness: of jobs with the same key there is one; an enqueue that meets it is skipped, and gives it back."""

from datetime import timedelta

from penstock import Penstock, Unique
from serving import URL, working

app = Penstock(URL)


@app.task(unique=Unique(args=("customer",)))
def refresh(customer: int, reason: str = "") -> None:
    print(f"refreshed customer {customer}: {reason}", flush=True)


@app.task(unique=Unique(args=(), period=timedelta(hours=1)))
def digest() -> None:
    print("sent the digest", flush=True)


if __name__ == "__main__":
    app.migrate()
    first = refresh.enqueue(7, reason="an order")
    again = refresh.enqueue(7, reason="another order")
    print("skipped:", again.skipped, "- the same job:", again.id == first.id)
    jobs = app.enqueue_many(refresh.call(customer % 3, reason="nightly") for customer in range(9))
    print("in bulk:", sum(not job.skipped for job in jobs), "of", len(jobs))
    digest.enqueue()
    with working(app, default=1):
        pass
    print("after its end the key is free:", not refresh.enqueue(7, reason="later").skipped)
    app.close()
