"""`penstock demo`: a directory of people, synchronised into a real SCIM server before your eyes.

Everything is real and in processes of its own: the source is a database, the destination a SCIM server that
somebody else wrote, and the worker `penstock worker` on directory.py, the very file of examples/directory. Whatever
happens, nothing is left running; without `--dir` nothing is left lying either.
"""

import sys
from pathlib import Path

import click

from penstock.cli.demo.report import Results
from penstock.cli.documents import json_option


@click.command()
@click.option("--people", type=click.IntRange(min=1), default=2000, show_default=True, help="How many people.")
@click.option("--groups", type=click.IntRange(min=1), default=40, show_default=True, help="How many groups.")
@click.option("--store", "store_url", metavar="URL", help="Penstock's own store: sqlite:///file.db or postgresql://…,"
              " best one for the demo alone. Without it: a SQLite file in the demo's folder.")
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Where databases and logs go, to be looked at later. Without it: a temporary folder.")
@click.option("--seed", type=int, default=1, show_default=True, help="Other seeds make other people.")
@json_option(Results, says="on the last line")
def demo(people: int, groups: int, store_url: str | None, folder: Path | None, seed: int, as_json: bool) -> None:
    """Synchronise a directory of people into a real SCIM server.

    Three times: all of it, after 1% has changed, and once more without any change. Exits with 0 only if the
    destination, read back over HTTP, then equals the source.
    """
    from penstock.cli.demo.session import show  # here, or every other command would wait for what only this one needs

    equal = show(people=people, groups=groups, store_url=store_url, folder=folder, seed=seed, json=as_json)
    sys.exit(0 if equal else 1)
