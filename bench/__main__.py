"""`python -m bench NAME [--quick]` prints a table for people and, as its last line, one JSON object."""

import argparse
import importlib
import pkgutil

import bench


def main() -> None:
    """Run one benchmark by name: the module `bench.NAME` with a function `run(quick)`."""
    names = sorted(module.name for module in pkgutil.iter_modules(bench.__path__)
                   if not module.name.startswith("_") and module.name != "report")
    parser = argparse.ArgumentParser(prog="python -m bench", description=bench.__doc__)
    parser.add_argument("name", choices=names)
    parser.add_argument("--quick", action="store_true", help="smaller counts; the same arms, settings and keys")
    arguments = parser.parse_args()
    importlib.import_module(f"bench.{arguments.name}").run(arguments.quick)


main()
