"""Drives Huey on SQLite: `python -m bench.peers.huey VERB PATH COUNT [THREADS]` prints one line of JSON.

`fsync=False` is what Huey on SQLite is known for (synchronous=OFF, so that a power cut loses what was confirmed), and
to its advantage: without it the newest Huey leaves SQLite's own setting alone, which is FULL.
"""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,misc"

import logging
import sys

from huey import SqliteHuey

from bench.tally import Tally, say


def main() -> None:
    verb, path, count, *rest = sys.argv[1:]
    huey = SqliteHuey("bench", filename=path, fsync=False)
    tally = Tally(int(count))

    @huey.task(name="nothing")
    def nothing(number: int) -> None:
        tally.ends()

    if verb == "fill":
        for number in range(int(count)):
            nothing(number)
        say(jobs=int(count))
    elif verb == "drain":
        logging.disable(logging.INFO)  # it logs two lines a job
        consumer = huey.create_consumer(workers=int(rest[0]), worker_type="thread", periodic=False)
        consumer.start()
        tally.done.wait()
        consumer.stop(graceful=True)
        say(jobs=int(count), seconds=tally.seconds, settled_seconds=tally.seconds)  # it deletes a job before it runs
    else:
        raise SystemExit(f"{verb}: expected fill or drain")


if __name__ == "__main__":
    main()
