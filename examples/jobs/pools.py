"""Pools: `def` runs on threads, `async def` on one event loop; each queue has slots of its own.

From the shell the same worker is `penstock --app pools:app worker --queue mail=20 --queue pages=200`.
"""

import asyncio
import threading
import time

from penstock import Penstock
from serving import URL, working

app = Penstock(URL)
done: list[str] = []


@app.task(queue="mail")
def send(address: str) -> None:
    time.sleep(0.05)  # a driver that blocks holds its thread, and nobody else's
    done.append(f"mail by {threading.current_thread().name}")


@app.task(queue="pages")
async def fetch(page: int) -> None:
    await asyncio.sleep(0.05)
    done.append(f"page by {threading.current_thread().name}")


if __name__ == "__main__":
    with working(app, mail=20, pages=200):
        app.enqueue_many([send.call(f"{number}@example.com") for number in range(40)])
        app.enqueue_many([fetch.call(number) for number in range(400)])
    for line in sorted(set(done)):
        print(f"{done.count(line)} × {line}")
