"""An app for `penstock --app bench.waiting:app worker`: its tasks wait until the worker is killed.

Each says that it is inside by one byte in the file that BENCH_INSIDE names.
"""

import asyncio
import os
import threading

from penstock import Penstock

INSIDE = "BENCH_INSIDE"

app = Penstock()
_never = threading.Event()


@app.task(name="bench.wait_here")
def wait_here() -> None:
    _say()
    _never.wait()


@app.task(name="bench.wait_on_loop")
async def wait_on_loop() -> None:
    _say()
    await asyncio.Event().wait()


def _say() -> None:
    file = os.open(os.environ[INSIDE], os.O_WRONLY | os.O_APPEND)
    os.write(file, b".")
    os.close(file)
