"""Drives Penstock with chunks: `python -m bench.chunked fill|drain URL COUNT KIND [SLOTS]` prints one line of JSON.

KIND is `plain` (the jobs of `bench drain`), or `chunks`: as many jobs that do as little, a hundred of them in a call.
"""

import sys

from bench.app import QUEUE, declared
from bench.ours import drain, fill
from penstock import Chunk, Jobs

SIZE = 100
_WAIT_SECONDS = 0.05


def main() -> None:
    verb, url, count, kind, *rest = sys.argv[1:]
    bench = declared(url, int(count))
    tally = bench.tally
    if kind == "chunks":
        @bench.app.task(name="bench.chunks", queue=QUEUE, chunk=Chunk(SIZE, _WAIT_SECONDS))
        def chunks(jobs: Jobs[int]) -> None:
            for _ in jobs:
                tally.ends()

        bench.nothing = chunks
    with bench.app:
        if verb == "fill":
            fill(bench, int(count))
        elif verb == "drain":
            drain(bench, int(count), int(rest[0]))
        else:
            raise SystemExit(f"{verb}: expected fill or drain")


if __name__ == "__main__":
    main()
