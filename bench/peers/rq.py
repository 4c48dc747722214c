"""Drives RQ on Redis: `python -m bench.peers.rq VERB URL COUNT [WORKERS]` prints one line of JSON.

`rq worker-pool`, whose workers fork for each job, as it comes. When each job began and ended is what RQ recorded.
"""
# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator,misc"

import subprocess
import sys
from pathlib import Path

from redis import Redis
from rq import Queue
from rq.job import Job

from bench.peers.rq_jobs import wait
from bench.tally import say


def main() -> None:
    verb, url, count, *rest = sys.argv[1:]
    connection = Redis.from_url(url)
    queue = Queue("bench", connection=connection)
    if verb == "fill-waits":
        connection.flushdb()  # of what an earlier round has finished
        queue.enqueue_many([Queue.prepare_data(wait, args=(int(rest[0]),), result_ttl=3600)
                            for _ in range(int(count))])
        say(jobs=int(count))
    elif verb == "waits":
        pool = [str(Path(sys.executable).parent / "rq"), "worker-pool", "--burst", "--quiet", "--path", ".", "--url",
                url, "--num-workers", rest[0], "bench"]
        subprocess.run(pool, check=True, stdout=subprocess.DEVNULL)
        jobs = Job.fetch_many(queue.finished_job_registry.get_job_ids(), connection=connection)
        ran = [(job.started_at, job.ended_at) for job in jobs if job]
        if len(ran) != int(count):
            raise SystemExit(f"RQ finished {len(ran)} jobs: expected {count}")
        say(jobs=len(ran), seconds=(max(end for _, end in ran) - min(start for start, _ in ran)).total_seconds())
    else:
        raise SystemExit(f"{verb}: expected fill-waits or waits")


if __name__ == "__main__":
    main()
