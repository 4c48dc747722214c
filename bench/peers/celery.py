"""Drives Celery on Redis with its pool of threads: `python -m bench.peers.celery VERB URL COUNT [THREADS]`.

Its best setting: no results kept, no gossip, mingle or heartbeat among workers, and its own prefetching of four jobs
a thread.
"""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,misc"

import os
import sys
import time

from celery import Celery

from bench.tally import Tally, say


def main() -> None:
    verb, url, count, *rest = sys.argv[1:]
    app = Celery("bench", broker=url)
    app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, worker_redirect_stdouts=False,
                    broker_connection_retry_on_startup=True)

    def over() -> None:
        say(jobs=int(count), seconds=tally.seconds)
        os._exit(0)  # what a softly stopping worker prints is no result

    tally = Tally(int(count), over)

    @app.task(name="wait")
    def wait(milliseconds: int) -> None:
        tally.begins()
        time.sleep(milliseconds / 1000)
        tally.ends()

    if verb == "fill-waits":
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(int(count)):
                wait.apply_async((int(rest[0]),), producer=producer)
        say(jobs=int(count))
    elif verb == "waits":
        app.Worker(pool="threads", concurrency=int(rest[0]), loglevel="ERROR", without_gossip=True,
                   without_mingle=True, without_heartbeat=True, quiet=True).start()
    else:
        raise SystemExit(f"{verb}: expected fill-waits or waits")


if __name__ == "__main__":
    main()
