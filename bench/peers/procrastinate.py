"""Drives Procrastinate: `python -m bench.peers.procrastinate VERB URL COUNT [RATE]` prints one line of JSON.

Its best setting: psycopg's asynchronous pool, tasks that are `async def`, ten at a time, and notifications, which are
its default.
"""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,misc"

import asyncio
import sys
import time

from procrastinate import App, PsycopgConnector

from bench.pace import apaced, aserve
from bench.tally import say


async def run(verb: str, url: str, count: int, rest: list[str]) -> None:
    app = App(connector=PsycopgConnector(conninfo=url))
    late_ms = []

    @app.task(name="stamp")
    async def stamp(called_ns: int) -> None:
        late_ms.append((time.monotonic_ns() - called_ns) / 1e6)

    async with app.open_async():
        if verb == "migrate":
            await app.schema_manager.apply_schema_async()
            say(jobs=0)
        elif verb == "work":
            running = asyncio.create_task(app.run_worker_async(concurrency=10, install_signal_handlers=False,
                                                               shutdown_graceful_timeout=1))
            await aserve()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            say(late_ms=late_ms)
        elif verb == "send":
            await stamp.configure(queue="unserved", schedule_in={"days": 1}).defer_async(called_ns=0)
            await apaced(count, float(rest[0]), lambda now: stamp.defer_async(called_ns=now))
            say(jobs=count)
        else:
            raise SystemExit(f"{verb}: expected migrate, work or send")


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
