"""What `test_batches` kills: jobs that note their end, and jobs that wait for them."""

import os
import time

from penstock import Penstock

app = Penstock()


def note(*words: object) -> None:
    """One line in one write, so that lines of several processes do not mix, of work that is not done in no time."""
    time.sleep(0.002)
    with open(os.environ["LEDGER"], "ab", buffering=0) as file:
        file.write((" ".join(map(str, words)) + "\n").encode())


@app.task(name="work")
def work(number: int) -> None:
    note("work", number)


@app.task(name="follow")
def follow(number: int) -> None:
    note("follow", number)


@app.task(name="then")
def then(batch_id: int) -> None:
    note("then", batch_id)
