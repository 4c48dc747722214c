"""Processes that are really killed, at each boundary of a run; others go on in their place.

One process that never opens anything gives birth to all others, so that each begins as a process does: two for each
boundary, one to be killed and, once it is dead, one to take over. What the latter finds wrong goes into a file.
"""

import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from penstock.domain.errors import DeclarationError
from penstock.testing.connectors.case import ConnectorCase
from penstock.testing.connectors.faults import KILLED, Fault, Faults
from penstock.testing.connectors.verdict import ConnectorFault
from penstock.testing.connectors.world import World

_MOST_PLACES = 1000


def kill_everywhere(case: ConnectorCase, url: str, folder: Path) -> None:
    """Kill a process at each place of a first sync and of one with changes. Raises what `killed` raises.

    `folder` is an empty one, for what the processes have to say. Raises `DeclarationError` for a case that no other
    process can be given.
    """
    try:
        pickle.dumps(case)
    except Exception as error:
        raise DeclarationError(f"{type(case).__name__}: outlives_processes: expected a case that can be pickled, so"
                               f" that other processes have it; got: {error}") from error
    nursery = multiprocessing.get_context("spawn").Process(target=_nursery, args=(case, url, folder))
    nursery.start()
    nursery.join()
    said = _said(folder)
    if said or nursery.exitcode:
        raise ConnectorFault(said or f"the process that starts the others ended with {nursery.exitcode}: can the case"
                                     " be pickled, and its module imported?")


def _nursery(case: ConnectorCase, url: str, folder: Path) -> None:
    for begins in (False, True):
        for number in range(1, _MOST_PLACES):
            _in_a_child(folder, partial(_place, case, url, folder, begins, number))
            if _said(folder):
                return
            if not _struck(folder).exists():
                break
            _struck(folder).unlink()


def _place(case: ConnectorCase, url: str, folder: Path, begins: bool, number: int) -> None:
    """One place: both ends are made here, and seen by the process that is killed as by the one that goes on."""
    case.fresh()
    _in_a_child(folder, partial(_doomed, case, url, folder, begins, number))
    if _said(folder) or not _struck(folder).exists():
        return
    with World(case, url, stage="resumed") as world:
        world.where = f"{'a sync with changes' if begins else 'a first sync'}: killed {_struck(folder).read_text()}"
        world.put(case.then if begins else case.first)
        world.settled(world.resumed())


def _doomed(case: ConnectorCase, url: str, folder: Path, begins: bool, number: int) -> None:
    fault = KILLED.at(number)
    with World(case, url, Faults(requests=False, killed=lambda: _die(folder, fault)), stage="begun") as world:
        if begins:
            world.where = "after a first sync"
            world.put(case.first)
            world.flawless()
        world.put(case.then if begins else case.first)
        world.sync(fault)


def _die(folder: Path, fault: Fault) -> None:
    _struck(folder).write_text(str(fault.struck))
    os.kill(os.getpid(), signal.SIGKILL)


def _in_a_child(folder: Path, work: Callable[[], None]) -> None:
    """Do some work in a process of its own, and wait for its end. What it raises is written down."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        work()
    except ConnectorFault as fault:
        (folder / "said").write_text(str(fault))
    except BaseException:
        (folder / "said").write_text(traceback.format_exc())
    finally:
        os._exit(0)


def _struck(folder: Path) -> Path:
    return folder / "struck"


def _said(folder: Path) -> str:
    file = folder / "said"
    return file.read_text() if file.exists() else ""
