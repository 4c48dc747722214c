"""Processes: a task that computes gets a core for each of its slots, and is controlled as any other.

From the shell the same worker is `penstock --app processes:app worker --queue primes=2`. The children of a worker import
this file as a module, so what is not to happen there stands at the end, under `if __name__ == "__main__":`.
"""

import os
from datetime import timedelta

from penstock import Penstock, Result, RetryPolicy, current_job
from serving import URL, working

app = Penstock(URL, patience_seconds=0.5)


@app.task(queue="primes", pool="process", result=Result())
def primes(start: int, stop: int) -> dict[str, int]:
    found = 0
    for number in range(max(start, 2), stop):
        found += all(number % divisor for divisor in range(2, int(number**0.5) + 1))
        if number % 1000 == 0:  # it is told here if it is to end
            current_job().checkpoint(percent=100 * (number - start) / (stop - start))
    return {"primes": found, "process": os.getpid()}


@app.task(queue="primes", pool="process", timeout=timedelta(seconds=1), retry=RetryPolicy(max_attempts=1))
def search() -> None:
    while True:  # it never listens: its process is killed, and the slot goes on with another
        pass


@app.task(queue="primes", pool="process", retry=RetryPolicy(max_attempts=1))
def crash() -> None:
    os._exit(3)  # as a fault in a library does


if __name__ == "__main__":
    with working(app, primes=2):
        ranges = app.enqueue_many([primes.call(start, start + 5_000) for start in range(0, 20_000, 5_000)])
        ends = [search.enqueue(), crash.enqueue()]
    counted = [job.result(0) for job in ranges]
    print(f"{sum(each['primes'] for each in counted)} primes below 20000")
    print(f"counted here: {os.getpid() in {each['process'] for each in counted}}")
    for job in ends:
        row = app.job(job.id)
        print(f"{row.task.rpartition('.')[2]}: {row.state}, {row.error_class}")
