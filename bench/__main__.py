"""`python -m bench NAME [--quick] [--store …]` prints a table for people and, as its last line, one JSON object.

A benchmark is a module or package of `bench` with a function `run(quick)` or, where it can use either store,
`run(quick, store)`. On the command line a dash stands for an underscore. `--real` runs the module NAME_real instead:
the same at a smaller scale, with real servers and in real time.
"""

import argparse
import importlib
import inspect
import pkgutil
import re
import signal
import sys
from importlib.util import find_spec

import bench

STORES = ("postgres", "sqlite")
_REAL = "-real"
_RUN = re.compile(r"^def run\(", re.MULTILINE)


def names() -> list[str]:
    """Every benchmark as it is written on the command line; what they share is not among them."""
    found = []
    for module in pkgutil.iter_modules(bench.__path__):
        spec = find_spec(f"bench.{module.name}")
        if spec and spec.origin:        # of a package its __init__.py
            with open(spec.origin, encoding="utf-8") as file:
                if _RUN.search(file.read()):
                    found.append(module.name.replace("_", "-"))
    return sorted({name.removesuffix(_REAL) for name in found})


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that servers are stopped
    parser = argparse.ArgumentParser(prog="python -m bench", description=bench.__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--quick", action="store_true", help="smaller counts; the same arms, settings and keys")
    parser.add_argument("--store", choices=STORES, help="the database that ours runs on (postgres unless given)")
    parser.add_argument("--real", action="store_true", help="with real servers and in real time, where there is such")
    arguments = parser.parse_args()
    module = f"bench.{arguments.name}{_REAL if arguments.real else ''}".replace("-", "_")
    if find_spec(module) is None:
        parser.error(f"{arguments.name} has no such arm: run it {'without' if arguments.real else 'with'} --real")
    run = importlib.import_module(module).run
    if "store" in inspect.signature(run).parameters:
        run(arguments.quick, arguments.store or STORES[0])
    elif arguments.store:
        parser.error(f"{arguments.name} has one store only: run it without --store")
    else:
        run(arguments.quick)


if __name__ == "__main__":
    main()
