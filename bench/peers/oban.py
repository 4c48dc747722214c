"""Drives Oban for Python: `python -m bench.peers.oban VERB URL COUNT [RATE]` prints one line of JSON.

Its best setting: uvloop, ten jobs at a time, its own debouncing (5 ms while jobs run, none on an idle queue). It is
the only peer that needs Python 3.12.
"""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,misc"

import sys
import time
from typing import Any

import uvloop
from oban import Oban, worker
from oban.schema import install

from bench.pace import apaced, aserve
from bench.tally import say


async def run(verb: str, url: str, count: int, rest: list[str]) -> None:
    pool = await Oban.create_pool(url, min_size=2, max_size=4)
    late_ms = []

    @worker(queue="default")
    class Stamp:
        new: Any  # what the decorator adds

        async def process(self, job: Any) -> None:
            late_ms.append((time.monotonic_ns() - job.args["called_ns"]) / 1e6)

    try:
        if verb == "migrate":
            await install(pool)
            say(jobs=0)
        elif verb == "work":
            async with Oban(pool=pool, queues={"default": 10}):
                await aserve()
            say(late_ms=late_ms)
        elif verb == "send":
            async with Oban(pool=pool) as oban:
                await oban.enqueue(Stamp.new({"called_ns": 0}, queue="unserved"))
                await apaced(count, float(rest[0]), lambda now: oban.enqueue(Stamp.new({"called_ns": now})))
            say(jobs=count)
        else:
            raise SystemExit(f"{verb}: expected migrate, work or send")
    finally:
        await pool.close()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
