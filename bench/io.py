"""`bench io`: jobs that wait 50 ms each, as many at a time as each arm does best under 512 MB of memory.

The rate is that of the jobs from the first one's beginning to the last one's end. The memory is the most proportional
set size that an arm's own processes took together while they worked; database and Redis are not counted. How many
run at a time was measured for each arm on two cores, and more did not help it: threads of Celery and forks of RQ are
bound by their processors long before they reach the cap, so a few hundred jobs tell their rate as well as thousands.
"""

import tempfile

from bench.arms import OURS, arm, median
from bench.peers.build import peer, version
from bench.report import report
from bench.server import Postgres, postgres, redis, settle

WAIT_MS = 50
CAP_MB = 512
THREAD_SLOTS = 800  # twice as many fight for Python's lock, and do half as much on a slow machine
ASYNC_SLOTS = 4000
CELERY_THREADS = 100
RQ_WORKERS = 20
PGQUEUER_SLOTS = 2500
_ROUNDS = 3


def run(quick: bool, store: str) -> None:
    """The benchmark; its bars are those of the issue that asked for it."""
    count = 5_000 if quick else 20_000  # fewer than that, and starting up is most of it
    counts = {"threads": count, "async": count, "pgqueuer": count, "celery_threads": 2_000 if quick else 5_000,
              "rq_fork": 200 if quick else 1_000}
    rates: dict[str, list[float]] = {name: [] for name in counts}
    peaks: dict[str, float] = dict.fromkeys(counts, 0.0)
    for name in ("celery", "rq", "pgqueuer"):
        peer(name)
    with postgres() as server, redis() as broker:
        for _ in range(_ROUNDS):
            for name, jobs in counts.items():
                said = _waited(server, broker, store, name, jobs)
                rates[name].append(jobs / said["seconds"])
                peaks[name] = max(peaks[name], said["peak_mb"])
        setting = {"store": store} | server.settings
    figures: dict[str, float] = {f"{name}_per_s": round(median(each), 1) for name, each in rates.items()}
    threads, aio = figures["threads_per_s"], figures["async_per_s"]
    report("io", {"jobs": count, "wait_ms": WAIT_MS, "rounds": _ROUNDS}, figures | {
        "threads_vs_celery_threads": round(threads / figures["celery_threads_per_s"], 2),
        "threads_vs_rq_fork": round(threads / figures["rq_fork_per_s"], 1),
        "async_vs_pgqueuer": round(aio / figures["pgqueuer_per_s"], 2),
    } | {f"{name}_mb": round(each, 1) for name, each in peaks.items()}, {
        "threads_vs_celery_threads": (">=", 10), "threads_vs_rq_fork": (">=", 75), "async_vs_pgqueuer": (">=", 1.5),
    } | {f"{name}_mb": ("<=", CAP_MB) for name in counts}, **setting,
        **{name: version(name) for name in ("celery", "rq", "pgqueuer")})


def _waited(server: Postgres, broker: str, store: str, name: str, jobs: int) -> dict[str, float]:
    """One round of one arm, on a database of its own, or on a Redis that the round before has emptied."""
    if name == "celery_threads":
        arm(peer("celery"), "fill-waits", broker, jobs, WAIT_MS)
        return arm(peer("celery"), "waits", broker, jobs, CELERY_THREADS, watch=True)
    if name == "rq_fork":
        arm(peer("rq"), "fill-waits", broker, jobs, WAIT_MS)
        return arm(peer("rq"), "waits", broker, jobs, RQ_WORKERS, watch=True)
    if name == "pgqueuer":
        with server.database() as url:
            arm(peer(name), "fill-waits", url, jobs, WAIT_MS)
            settle(url)
            return arm(peer(name), "waits", url, jobs, PGQUEUER_SLOTS, watch=True)
    slots = ASYNC_SLOTS if name == "async" else THREAD_SLOTS
    if store == "sqlite":
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            return _ours(f"sqlite:///{folder}/jobs.db", name, jobs, slots)
    with server.database() as url:
        return _ours(url, name, jobs, slots)


def _ours(url: str, kind: str, jobs: int, slots: int) -> dict[str, float]:
    arm(OURS, "fill-waits", url, jobs, kind, WAIT_MS)
    if not url.startswith("sqlite:"):
        settle(url)
    return arm(OURS, "drain", url, jobs, slots, watch=True)
