"""`bench diff`: digest and diff a million unchanged records of six fields against state, through the engine.

A run is requested, served by a worker and settled, as in real life; the records come from an iterator. The bare
loop beside it does what cannot be left out (make the record, render, encode, digest, look a page's range up,
compare) with sqlite3, msgspec and blake2b alone. Of three rounds of each arm the quickest counts, since others share
the machine. What memory grows by is the difference between the peaks of such a run with a hundred thousand records and
with ten million, each in a process that does nothing else.
"""

import tempfile

from bench.products import arm
from bench.report import report
from bench.server import postgres, settle

_ROUNDS = 3


def run(quick: bool) -> None:
    """The benchmark; its bars are those of the issues that asked for it."""
    large = 200_000 if quick else 1_000_000
    few, most = 20_000 if quick else 100_000, 400_000 if quick else 10_000_000
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder, postgres() as server, \
            server.database() as url:
        lite = f"sqlite:///{folder}/store.db"
        filled, engine = _unchanged(lite, large)
        bare = min(arm("bare", lite, large)["seconds"] for _ in range(_ROUNDS))
        settle(url)
        _, on_postgres = _unchanged(url, large)
        peaks = [_peak(f"sqlite:///{folder}/{count}.db", count) for count in (few, most)]
        setting = server.settings
    report("diff", {"records": large, "fields": 6, "few": few, "most": most}, {
        "sqlite_records_per_s": round(large / engine),
        "postgres_records_per_s": round(large / on_postgres),
        "bare_records_per_s": round(large / bare),
        "vs_bare": round(bare / engine, 3),
        "creates_per_s": round(large / filled),
        "peak_mb": round(peaks[1], 1),
        "peak_growth_mb": round(peaks[1] - peaks[0], 1),
    }, {"sqlite_records_per_s": (">=", 200_000), "postgres_records_per_s": (">=", 150_000),
        "peak_growth_mb": ("<=", 10)}, **setting)


def _unchanged(url: str, count: int) -> tuple[float, float]:
    """Seconds of a first run, and of one that finds everything unchanged."""
    filled = arm("served", url, count)["seconds"]
    rounds = [arm("served", url, count) for _ in range(_ROUNDS)]
    if any(each["skipped"] != count for each in rounds):
        raise SystemExit(f"expected {count} unchanged records, got {rounds}")
    return filled, min(each["seconds"] for each in rounds)


def _peak(url: str, count: int) -> float:
    """Peak memory in MB of a run that finds everything unchanged."""
    arm("fill", url, count)
    done = arm("served", url, count)
    if done["skipped"] != count:
        raise SystemExit(f"expected {count} unchanged records, got {done}")
    return done["peak_mb"]
