"""Drives PgQueuer: `python -m bench.peers.pgqueuer VERB URL COUNT …` prints one line of JSON.

Its best setting as measured: asyncpg's pool, uvloop, and batches of 1,000 (with 10, its default, it does a sixth of
that; with one connection instead of a pool, a tenth to a fifth less). Jobs are `async def`, since it has no other. Its
tables are as durable as it installs them.
"""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,misc"

import asyncio
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.pace import apaced, aserve
from bench.tally import Tally, say

_BATCH = 1000
_CHUNK = 10_000  # of a bulk enqueue: 1,000 and 100,000 were slower


async def fill(url: str, count: int, payload: bytes | None = None) -> None:
    """Install, then enqueue in bulk, timed without the installation."""
    connection = await asyncpg.connect(url)
    queries = Queries.from_asyncpg_connection(connection)
    await queries.install()
    await queries.enqueue("unserved", None)  # prepares what an enqueue needs
    began = time.perf_counter()
    for first in range(0, count, _CHUNK):
        numbers = range(first, min(first + _CHUNK, count))
        payloads = [payload or b"[%d]" % number for number in numbers]
        await queries.enqueue(["job"] * len(numbers), payloads, [0] * len(numbers))
    say(jobs=count, seconds=time.perf_counter() - began)
    await connection.close()


async def drain(url: str, count: int) -> None:
    """Run jobs that do nothing; `settled_seconds` is up to the moment when its runner has returned."""
    async with asyncpg.create_pool(url, min_size=2, max_size=4) as pool:
        pgq = PgQueuer.from_asyncpg_pool(pool)
        tally = Tally(count, pgq.shutdown.set)

        @pgq.entrypoint("job")
        async def job(job: Job) -> None:
            tally.ends()

        await pgq.run(batch_size=_BATCH)
        settled = time.perf_counter() - tally.began
    say(jobs=count, seconds=tally.seconds, settled_seconds=settled)


async def waits(url: str, count: int, slots: int) -> None:
    """Run jobs of so many milliseconds, `slots` of them at a time."""
    async with asyncpg.create_pool(url, min_size=2, max_size=4) as pool:
        pgq = PgQueuer.from_asyncpg_pool(pool)
        tally = Tally(count, pgq.shutdown.set)

        @pgq.entrypoint("job")
        async def job(job: Job) -> None:
            tally.begins()
            await asyncio.sleep(int(job.payload) / 1000)
            tally.ends()

        await pgq.run(batch_size=min(_BATCH, slots // 2 or _BATCH), max_concurrent_tasks=slots or None)
    say(jobs=count, seconds=tally.seconds)


async def work(url: str) -> None:
    """Serve until standard input ends, then say how late each job began."""
    late_ms = []
    async with asyncpg.create_pool(url, min_size=2, max_size=4) as pool:
        pgq = PgQueuer.from_asyncpg_pool(pool)

        @pgq.entrypoint("job")
        async def job(job: Job) -> None:
            late_ms.append((time.monotonic_ns() - int(job.payload)) / 1e6)

        running = asyncio.create_task(pgq.run())
        await aserve()
        pgq.shutdown.set()
        await running
    say(late_ms=late_ms)


async def send(url: str, count: int, rate: float) -> None:
    connection = await asyncpg.connect(url)
    queries = Queries.from_asyncpg_connection(connection)
    await queries.enqueue("unserved", None)
    await apaced(count, rate, lambda now: queries.enqueue("job", b"%d" % now))
    await connection.close()
    say(jobs=count)


def main() -> None:
    verb, url, count, *rest = sys.argv[1:]
    match verb:
        case "fill":
            uvloop.run(fill(url, int(count)))
        case "fill-waits":
            uvloop.run(fill(url, int(count), rest[0].encode()))
        case "drain":
            uvloop.run(drain(url, int(count)))
        case "waits":
            uvloop.run(waits(url, int(count), int(rest[0])))
        case "migrate":
            uvloop.run(fill(url, 0))
        case "work":
            uvloop.run(work(url))
        case "send":
            uvloop.run(send(url, int(count), float(rest[0])))
        case _:
            raise SystemExit(f"{verb}: expected fill, fill-waits, drain, waits, migrate, work or send")


if __name__ == "__main__":
    main()
