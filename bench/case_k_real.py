"""`bench case-k --real`: case study K at 1/100 of its time, over HTTP on loopback, against a real SCIM server.

A proxy before the server makes the listing of all users take 2.4 s and each change 75 ms, and answers 429 to more
than 40 calls in a second; reading a group of the source takes 0.15 s. A job may take 5.4 s. *Before* has a job for
each group, which fetches all users; the *case study* fetches once for each window and begins another group while 1 s
is left; *Penstock* has the walk's layers and drains in windows of the same length. Each has a directory of its own,
in which people of elsewhere are already. The first pass makes everything; before the next, one person in a hundred
has another name. After each pass the directory has to equal the source, those of elsewhere included.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.doors.directory import Directory
from bench.doors.jobs import by_windows, one_by_one
from bench.doors.office import Office
from bench.doors.ours import opened
from bench.doors.times import Times
from bench.report import report
from tests.servers.scim import TOKEN, scim_server

Pass = Callable[[Directory, Office, Times], int]


def run(quick: bool) -> None:
    """The benchmark; `gains_in_order` says that before < case study < Penstock, as in virtual time."""
    groups, times = (8 if quick else 36), Times(100)
    figures = measured(groups, times)
    report("case-k --real", {"groups": groups, "scale": times.scale}, figures,
           {"equal": (">=", 1), "gains_in_order": (">=", 1)})


def measured(groups: int, times: Times) -> dict[str, float]:
    """The figures of both passes. `throttled` and `over_limit` are calls and windows, of all arms together."""
    found: dict[str, float] = {}
    sums = {"throttled": 0, "over_limit": 0}
    equal = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        server = stack.enter_context(scim_server())
        offices = {name: Office(folder / f"{name}.db", times, groups) for name in ("before", "case_study", "penstock")}
        directories = {name: stack.enter_context(Directory(server.tenant(name), TOKEN, times)) for name in offices}
        ours = stack.enter_context(opened(f"sqlite:///{folder}/store.db", directories["penstock"],
                                          offices["penstock"], times))
        arms: dict[str, Pass] = {"before": one_by_one, "case_study": by_windows, "penstock": ours}
        for step in ("first", "next"):
            for name, serve in arms.items():
                directory, office = directories[name], offices[name]
                if step == "next":
                    office.change(seed=1)
                directory.counted.clear()
                began = time.monotonic()
                windows = serve(directory, office, times)
                found[f"{name}_{step}_s"] = round(time.monotonic() - began, 2)
                found |= {f"{name}_{step}_windows": windows,
                          **{f"{name}_{step}_{what}": directory.counted[what] for what in ("fetches", "changes")}}
                sums = {what: count + directory.counted[what] for what, count in sums.items()}
                equal = equal and directory.equals(office)
    gains = {step: [found[f"before_{step}_s"] / found[f"{name}_{step}_s"] for name in ("case_study", "penstock")]
             for step in ("first", "next")}
    return {"equal": equal, "gains_in_order": all(1 < less < more for less, more in gains.values()),
            "case_study_speedup": round(gains["first"][0], 2), "first_pass_speedup": round(gains["first"][1], 2),
            "case_study_next_speedup": round(gains["next"][0], 2), "next_pass_speedup": round(gains["next"][1], 2),
            **sums, **found}
