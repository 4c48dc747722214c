"""An app whose one job goes through rows, and notes each outside of the store when it is done."""

import os
import time

from penstock import Penstock, current_job

ROWS = 20_000
SECONDS = float(os.environ.get("SECONDS_PER_ROW", "0"))

app = Penstock()


@app.task(name="walk")
def walk() -> None:
    file = os.open(os.environ["LEDGER"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for row in current_job().resume(range(1, ROWS + 1), key=int):
            if SECONDS:
                time.sleep(SECONDS)
            os.write(file, b"%d\n" % row)
    finally:
        os.close(file)
