"""Keys: jobs of one customer run one at a time and in order, or so many at once; those of others do not wait for them."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from penstock import Concurrency, Penstock, RetryPolicy, current_job
from serving import URL, working

app = Penstock(URL)
lock = threading.Lock()
inside: Counter[str] = Counter()
most: Counter[str] = Counter()
order: dict[int, list[int]] = defaultdict(list)


@contextmanager
def counted(what: str) -> Iterator[None]:
    with lock:
        inside[what] += 1
        most[what] = max(most[what], inside[what])
    time.sleep(0.01)
    yield
    with lock:
        inside[what] -= 1


@app.task(serial="customer_id", retry=RetryPolicy(base_seconds=0.05, jitter=0))
def invoice(customer_id: int, number: int) -> None:
    with counted(f"invoice of customer {customer_id}"):
        pass
    if number == 1 and current_job().attempt == 1:
        raise ConnectionError("the printer is away: the customer's next invoice waits for this one")
    order[customer_id].append(number)


@app.task(concurrency=Concurrency(3, by="customer_id"))
def render(customer_id: int, page: int) -> None:
    with counted(f"page of customer {customer_id}"):
        pass


if __name__ == "__main__":
    app.migrate()
    app.enqueue_many(invoice.call(customer, number) for number in range(5) for customer in (1, 2))
    app.enqueue_many(render.call(1, page) for page in range(20))
    with working(app, default=10):
        pass
    for customer in (1, 2):
        print(f"customer {customer}: invoices in the order {order[customer]}")
    for what, count in sorted(most.items()):
        print(f"at once at most: {count} {what}")
