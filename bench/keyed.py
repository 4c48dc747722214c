"""Drives Penstock with features: `python -m bench.keyed fill|drain URL COUNT KIND [SLOTS]` prints one line of JSON.

KIND is `plain` (an app that declares no feature), `unused` (one that declares all of them, and runs jobs of the plain
task), or the feature that the jobs use: `serial`, `concurrency`, `limits`.
"""

import sys
from typing import Any

from bench.app import QUEUE, Declared, declared
from bench.ours import drain, fill
from penstock import Concurrency, Rate

KEYS = 1_000
AT_ONCE = 4
_PLENTY = 10_000_000


def featured(bench: Declared) -> dict[str, Any]:
    """The same task, that does nothing, once for each feature; `unused` is the plain one among them."""
    app, tally = bench.app, bench.tally

    @app.task(name="bench.serial", queue=QUEUE, serial="key")
    def serial(key: int) -> None:
        tally.ends()

    @app.task(name="bench.concurrency", queue=QUEUE, concurrency=Concurrency(AT_ONCE, by="key"))
    def concurrency(key: int) -> None:
        tally.ends()

    @app.task(name="bench.limits", queue=QUEUE, limits=[Rate(_PLENTY, per="second")])
    def limits(key: int) -> None:
        tally.ends()

    return {"unused": bench.nothing, "serial": serial, "concurrency": concurrency, "limits": limits}


def main() -> None:
    verb, url, count, kind, *rest = sys.argv[1:]
    bench = declared(url, int(count))
    if kind != "plain":
        bench.nothing = featured(bench)[kind]
    with bench.app:
        if verb == "fill":
            fill(bench, int(count), KEYS if kind in ("serial", "concurrency") else None)
        elif verb == "drain":
            drain(bench, int(count), int(rest[0]))
        else:
            raise SystemExit(f"{verb}: expected fill or drain")


if __name__ == "__main__":
    main()
