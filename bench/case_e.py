"""`bench case-e`: reminders by e-mail, as many a second as one node sends within 1 GiB of memory.

Reminders wait, three to an offer, and mails are due; each sent mail makes its offer's other reminders pointless. All
arms send the same mail in the same way to one SMTP server, which has a process of its own.

*Before* is RQ as it comes, `rq worker-pool` with a fork for each job: the other reminders are searched for among all
that are scheduled, by RQ's public API in pages of 1,000, and removed. *After* is Penstock on PostgreSQL, one process
of threads: the offer's tag is invalidated. What became pointless settles later without being sent, and the time that
this takes counts against the mails that caused it. Between them is one change at a time: RQ's own worker on threads;
RQ's worker that does not fork; RQ with a fork, and a search that reads ids alone since they name the offer.

RQ's arms serve for a fixed time from the moment when every worker is inside a job. One search takes longer than that
where all workers share two processors, so a search under way counts by the share of the pages that it has read.

Each arm runs as many workers as fit into the cap, found by trying some first; `…_mb` is the most proportional set size
that its processes took together. Redis, PostgreSQL and the SMTP server are not in it. Redis writes nothing to disk,
PostgreSQL confirms what it has written.
"""

import os
import sys
from typing import Any

from bench.arms import arm
from bench.peers.build import built, version
from bench.reminders.mail import PORT
from bench.reminders.smtp import FLOOD, mail_server
from bench.report import report
from bench.server import Postgres, postgres, redis, settle

CAP_MB = 1024
SLOTS = 200  # threads of ours, as in the example; more send no more, since the processors are busy
_MOST_THREADS = 200  # of RQ's on threads: the same
_TRIED = (4, 12)  # workers of the two trials that tell what one more takes
_TRIAL_SECONDS = 6
_FILLED = 0.88  # of the cap: a work horse takes now more, now less than it did in the trials
_ARMS = {"rq_fork": ("fork", "fetch"), "rq_threads": ("threads", "fetch"), "rq_no_fork": ("simple", "fetch"),
         "rq_fork_ids": ("fork", "ids")}  # by name: which workers, which search


def run(quick: bool) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    waiting, seconds = (30_000, 15) if quick else (100_000, 60)
    built("rq")
    with mail_server() as server:
        os.environ[PORT] = str(server.port)
        before = {name: _rq(workers, kind, waiting, seconds) for name, (workers, kind) in _ARMS.items()}
        with postgres() as store:
            # Measured beside our arm, which alone comes near it: what bare threads send to the same server.
                # Measured beside our arm, which alone comes near it: what bare threads send to the same server.
            ceiling = arm(FLOOD, 2_000 if quick else 5_000, 50)
            got = server.mails()
            after = _ours(store, waiting)
            settings = store.settings
            if server.mails() - got != after["mails"]:
                raise SystemExit(f"the server got {server.mails() - got} mails: expected {after['mails']}")
    rates = {name: each["handled"] / each["seconds"] for name, each in before.items()}
    penstock = after["mails"] / (after["seconds"] + after["stale_seconds"])
    report("case-e", {"reminders": waiting, "seconds": seconds, "slots": SLOTS}, {
        "speedup": round(penstock / rates["rq_fork"], 1),
        "penstock_per_s": round(penstock, 1),
        **{f"{name}_per_s": round(each, 3) for name, each in rates.items()},
        "penstock_sending_per_s": round(after["mails"] / after["seconds"], 1),
        "stale_settled_per_s": round(after["stale"] / after["stale_seconds"]),
        "smtp_ceiling_per_s": round(ceiling["mails"] / ceiling["seconds"]),
        "threads_alone": round(rates["rq_threads"] / rates["rq_fork"], 2),
        "no_fork_alone": round(rates["rq_no_fork"] / rates["rq_fork"], 2),
        "ids_alone": round(rates["rq_fork_ids"] / rates["rq_fork"], 2),
        **{f"{name}_workers": each["workers"] for name, each in before.items()},
        "penstock_mb": after["peak_mb"],
        **{f"{name}_mb": round(each["peak_mb"], 1) for name, each in before.items()},
    }, {"speedup": (">=", 150), "penstock_mb": ("<=", CAP_MB), **{f"{name}_mb": ("<=", CAP_MB) for name in before}},
        **settings, rq=version("rq"))


def _rq(workers: str, kind: str, waiting: int, seconds: float) -> dict[str, Any]:
    """One arm of RQ on a Redis of its own, with as many workers as fit."""
    command = (str(built("rq")), "-m", "bench.reminders.rq")
    with redis() as url:
        arm(command, "fill", url, waiting, 40_000, kind)
        few, more = (arm(command, "measure", url, workers, count, _TRIAL_SECONDS) for count in _TRIED)
        each_mb = (more["peak_mb"] - few["peak_mb"]) / (_TRIED[1] - _TRIED[0])
        fitting = int((CAP_MB * _FILLED - few["peak_mb"]) / each_mb) + _TRIED[0]
        if workers == "threads":
            fitting = min(fitting, _MOST_THREADS)
        return arm(command, "measure", url, workers, fitting, seconds)


def _ours(server: Postgres, waiting: int) -> dict[str, Any]:
    """Our arm: send a mail for every offer, and then let all that became pointless settle."""
    with server.database() as url:
        command = (sys.executable, "-m", "bench.reminders.ours")
        filled = arm(command, "fill", url, waiting)
        settle(url)
        sent = arm(command, "send", url, filled["due"], SLOTS, watch=True)
        later = arm(command, "stale", url, SLOTS)
    found = sent["states"].get("completed"), later["states"].get("cancelled")
    if found != (filled["due"], filled["waiting"]):
        raise SystemExit(f"expected {filled['due']} mails completed and {filled['waiting']} reminders cancelled, got"
                         f" {sent['states']}, later {later['states']}")
    return sent | {"stale": filled["waiting"], "stale_seconds": later["seconds"]}
