"""`bench deletes`: random histories of a directory, and how many deletes an observer of the truth calls wrong.

Each seed is a history on a store of its own: groups of one or two accounts whose people join, leave, move (in either
order of the reads) and change their e-mail, hand-made records at the destination, and sources that break off, lose
their proof, are empty, refuse access or are cut off and claim to be whole. One more case are 1,000 small groups that
lose nine of ten people each. Most run on SQLite, every fiftieth on PostgreSQL. `left_over` is what was not deleted,
though it was right, when each history had come to rest: an engine that deletes nothing has no wrong deletes either.
"""

import logging
import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import NamedTuple

from bench.histories import History, small_groups
from bench.report import report
from bench.server import postgres
from bench.truth import World

_EVERY = 50
_PROCESSES = 2


class Played(NamedTuple):
    """What one history came to."""

    name: str
    deletes: int
    wrong: list[str]
    left_over: int


def run(quick: bool) -> None:
    """The benchmark; its bar is that of the issue that asked for it."""
    seeds, groups = (100, 200) if quick else (2_000, 1_000)
    found = list(_all(seeds, groups))
    for played in found:
        for wrong in played.wrong:
            print(f"{played.name}: {wrong}")
    small = found[-1]
    report("deletes", {"seeds": seeds, "small_groups": groups}, {
        "wrong_deletes": sum(len(played.wrong) for played in found),
        "deletes": sum(played.deletes for played in found),
        "left_over": sum(played.left_over for played in found[:-1]),
        "small_groups_deletes": small.deletes,
    }, {"wrong_deletes": ("<=", 0), "left_over": ("<=", 0)}, store="sqlite, every 50th postgres")


def _all(seeds: int, groups: int) -> Iterator[Played]:
    spawn = multiprocessing.get_context("spawn")
    with postgres() as server, ProcessPoolExecutor(_PROCESSES, mp_context=spawn) as pool:
        small = pool.submit(many, groups)
        waiting: list[Future[Played]] = [pool.submit(one, seed) for seed in range(seeds) if seed % _EVERY]
        for seed in range(0, seeds, _EVERY):
            with server.database() as url:
                yield one(seed, url)
        for played in waiting:
            yield played.result()
        yield small.result()


def one(seed: int, url: str | None = None) -> Played:
    """One random history, on a file of its own unless told otherwise."""
    _quiet()
    if url is not None:
        return _played(f"seed {seed}", History(url, seed).play())
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        return _played(f"seed {seed}", History(f"sqlite:///{folder}/store.db", seed).play())


def many(groups: int) -> Played:
    """The small groups."""
    _quiet()
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        return _played("small groups", small_groups(f"sqlite:///{folder}/store.db", groups))


def _played(name: str, world: World) -> Played:
    return Played(name, world.deletes, world.wrong, world.left_over())


def _quiet() -> None:
    logging.getLogger("penstock").setLevel(logging.CRITICAL)  # withholding is what these histories are about
