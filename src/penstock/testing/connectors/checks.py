"""What the kit checks of a connector, each check a function of its case that raises `ConnectorFault`.

A check of a fault tries it at every boundary in turn, each time in a new world: at the first place where it can strike,
at the second, and so on until a run has ended unharmed. The worlds of a check have one store, which each empties: to
make its tables takes as long as a run.
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from penstock.domain.errors import DeclarationError, SourceError
from penstock.domain.records import Complete, Subject
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.read import Unreadable, pages
from penstock.testing.connectors.case import ConnectorCase, Records
from penstock.testing.connectors.faults import (
    ANSWER_LOST,
    ANSWER_TORN,
    KILLED,
    PAGE_HALVED,
    PAGE_LAST,
    PAGE_TWICE,
    REQUEST_LOST,
    SOURCE_FAILED,
    THROTTLED,
    Fault,
    FaultKind,
)
from penstock.testing.connectors.processes import kill_everywhere
from penstock.testing.connectors.verdict import ConnectorFault
from penstock.testing.connectors.world import World

FAULTS = (KILLED, ANSWER_LOST, ANSWER_TORN, REQUEST_LOST, THROTTLED, SOURCE_FAILED, PAGE_TWICE, PAGE_LAST, PAGE_HALVED)
_MOST_PLACES = 1000
_MEMORY = "/dev/shm"  # no process of a check outlives the machine, and a disk's answers would take most of the time
_ROUNDS = 8
_FURTHEST, _FEW = 15, 4


def first_sync(case: ConnectorCase) -> None:
    """An empty destination is filled in one run, and the next run writes nothing."""
    with _world(case, "after a first sync") as world:
        world.put(case.first)
        world.flawless()


def changes(case: ConnectorCase) -> None:
    """Records that were added, changed and removed are so at the destination after one run; the next writes nothing."""
    with _world(case, "after a first sync") as world:
        _edits_enough(case, world)
        _begun(case, world)
        world.where = "after records were added, changed and removed"
        world.put(case.then)
        world.flawless()
        world.where = "after all that was changed back"
        world.put(case.first)
        world.flawless()


def unchanged_run(case: ConnectorCase) -> None:
    """Runs of an unchanged source write nothing, however many there are."""
    with _world(case, "after a first sync") as world:
        _begun(case, world)
        for _ in range(2):
            world.quiet()


def any_page_size(case: ConnectorCase) -> None:
    """The source gives the same records in pages of any size, each once, and proves no other number of them."""
    with _world(case, "reading the source") as world:
        world.put(case.first)
        for layer in world.layers:
            wanted = sorted(str(layer.keys([record])[0]) for record in case.first[layer.name])
            for size in (1, 2, 3, len(wanted), len(wanted) + 1):
                world.page_size = max(size, 1)
                found, proof = _read(layer, case, world.page_size)
                if sorted(found) != wanted:
                    lost, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
                    raise ConnectorFault(f"{layer.name}: in pages of {size} the source gives {len(found)} records,"
                                         f" expected {len(wanted)}; lacking {lost}, besides {more}, twice"
                                         f" {sorted({key for key in found if found.count(key) > 1})}")
                if proof is None and layer.on_delete != "keep":
                    raise ConnectorFault(f"{layer.name}: in pages of {size} the source gives every record, and does not"
                                         " say that it is whole: return Complete(count), or nothing is ever deleted")


def look_up(case: ConnectorCase) -> None:
    """`find` gives the remote id that a create told, for each record that is there, and nothing for one that is not."""
    absent = "a record that nobody has created"
    with _world(case, "after a first sync") as world:
        _begun(case, world)
        client = case.connect(case.account)
        with client if hasattr(client, "__enter__") else nullcontext(client) as entered:
            run = Run(Subject(case.subject, account=case.account), client=entered)
            for layer in world.layers:
                if layer.verb("find") is None or layer.declares("idempotent"):
                    continue
                created = {key: id for (name, key), id in world.log.created.items() if name == layer.name}
                keys = {layer.keys([record])[0] or "": str(layer.match(record)) if layer.match else None
                        for record in case.first[layer.name]}
                values = {value or key: created.get(key) for key, value in keys.items()}
                found = _found(layer, [*values, absent], run)
                if not any(found.values()) and case.finds_nothing:
                    continue
                for value, id in values.items():
                    if id is not None and found.get(value, []) != [id]:
                        raise ConnectorFault(f"{layer.name}: find gives {found.get(value, [])} for {value!r}, expected"
                                             f" {[id]}, the remote id that its create told")
                if found.get(absent):
                    raise ConnectorFault(f"{layer.name}: find gives {found[absent]} for {absent!r}, expected nothing:"
                                         " a record would be taken over that is another's")


def killed(case: ConnectorCase) -> None:
    """A process dies at each boundary of a first sync and of one with changes; the next one goes on."""
    _each_place(case, KILLED)


def killed_for_real(case: ConnectorCase) -> None:
    """The same with processes that are killed by SIGKILL. (Where the case `outlives_processes`.)"""
    if not case.outlives_processes:
        return
    with _store(case) as url, tempfile.TemporaryDirectory(prefix="penstock-kit-") as folder:
        kill_everywhere(case, url, Path(folder))


def answers_lost(case: ConnectorCase) -> None:
    """A call is carried out, and its answer lost: after each call of a first sync and of one with changes."""
    _each_place(case, ANSWER_LOST)


def answers_torn(case: ConnectorCase) -> None:
    """An answer has lost its second half on the way. (Where the connector's requests are seen.)"""
    _each_place(case, ANSWER_TORN)


def requests_lost(case: ConnectorCase) -> None:
    """A call breaks before it was carried out, and nobody can tell."""
    _each_place(case, REQUEST_LOST)


def throttled(case: ConnectorCase) -> None:
    """A call is refused for its rate: before each call of a first sync and of one with changes."""
    _each_place(case, THROTTLED)


def source_failing(case: ConnectorCase) -> None:
    """The source raises instead of giving a page."""
    _each_place(case, SOURCE_FAILED, unharmed=True)


def page_twice(case: ConnectorCase) -> None:
    """The source gives a page twice: nothing is created twice, nothing deleted."""
    _each_place(case, PAGE_TWICE, unharmed=True)


def page_cut_short(case: ConnectorCase) -> None:
    """A read ends early, or a page loses half of its records: nothing is deleted that the source still has.

    First the kit cuts what the source gives; then the case cuts what the source reads, if it can.
    """
    for kind in (PAGE_LAST, PAGE_HALVED):
        _each_place(case, kind, unharmed=True)
    with _world(case, "after a read of a source that was cut short") as world:
        _begun(case, world)
        block = case.cut_short()
        if block is None:
            return
        with block:
            world.sync()
            world.nothing_lost(case.first)
        world.where = "after the source was whole again"
        world.put(case.then)
        world.settled(world.sync())


def seeded_faults(case: ConnectorCase, seeds: Sequence[int] = range(3)) -> None:
    """Faults drawn by chance while the source changes, two a run, the second while it comes back from the first.

    At the end all is as it should be.
    """
    with _store(case) as url:
        for seed in seeds:
            _survive(case, url, seed)


def _survive(case: ConnectorCase, url: str, seed: int) -> None:
    chance = random.Random(seed)
    with World(case, url) as world:
        world.where = f"seed {seed}"
        for number in range(_ROUNDS):
            faults = [_drawn(chance), _drawn(chance)]
            world.put(case.then if number % 2 else case.first)
            world.sync(*faults)
            world.where += "; " + (", ".join(str(fault) for fault in faults if fault.struck) or "nothing")
            world.nothing_twice()
        world.put(case.then)
        world.settled(world.sync())


def _drawn(chance: random.Random) -> Fault:
    kind = chance.choice(FAULTS)
    return kind.at(chance.randint(1, _FURTHEST if kind is KILLED else _FEW))


def _each_place(case: ConnectorCase, kind: FaultKind, *, unharmed: bool = False) -> None:
    """Strike at each place of a first sync, and of a sync with changes. `unharmed` asks that nothing be deleted that
    the source has, before anything else is done."""
    with _store(case) as url:
        for begins, phase in ((False, "a first sync"), (True, "a sync with changes")):
            for number in range(1, _MOST_PLACES):
                fault = kind.at(number)
                with World(case, url) as world:
                    world.where = f"{phase}: {kind.name}"
                    if not _survives(case, world, fault, phase, begins=begins, unharmed=unharmed):
                        break


def _survives(case: ConnectorCase, world: World, fault: Fault, phase: str, *, begins: bool, unharmed: bool) -> bool:
    """Whether the fault has struck. Raises `ConnectorFault` where the connector did not come back from it."""
    if begins:
        world.put(case.first)
        world.begun()
    world.put(case.then if begins else case.first)
    run = world.sync(fault)
    world.where = f"{phase}: {fault}"
    if fault.struck is None:
        return False
    if unharmed and begins:
        world.nothing_lost(_in_both(case, world))
    # What a read did not give is for the next one.
    world.settled(world.sync() if unharmed else run)
    return True


def _in_both(case: ConnectorCase, world: World) -> dict[str, list[Any]]:
    """The records of `then` that were there before: whatever the fault, none of them may be gone."""
    found = {}
    for layer in world.layers:
        before = {case.identity(layer, record) for record in case.first[layer.name]}
        found[layer.name] = [record for record in case.then[layer.name] if case.identity(layer, record) in before]
    return found


def _begun(case: ConnectorCase, world: World) -> None:
    world.put(case.first)
    world.flawless()


def _edits_enough(case: ConnectorCase, world: World) -> None:
    """Raise `DeclarationError` unless the case's records let everything happen that a sync can do."""
    first, then = _by_key(case.first, world), _by_key(case.then, world)
    common = [(layer, each) for layer in first for each in first[layer].keys() & then[layer].keys()]
    happens = {
        "add": any(then[layer].keys() - first[layer].keys() for layer in first),
        "remove": any(first[layer].keys() - then[layer].keys() for layer in first),
        "change": any(first[layer][each] != then[layer][each] for layer, each in common)
        or all(layer.render is None for layer in world.layers),
        "leave alone": any(first[layer][each] == then[layer][each] for layer, each in common),
    }
    if lacking := [verb for verb, does in happens.items() if not does]:
        raise DeclarationError(f"{type(case).__name__}: expected `then` to add, change, remove and leave alone at least"
                               f" one record of `first` each; it does not {', '.join(lacking)} any")


def _by_key(records: Records, world: World) -> dict[str, dict[str, Any]]:
    """What is rendered of each record."""
    return {layer.name: {str(layer.keys([record])[0]): world.rendered(layer, record) for record in records[layer.name]}
            for layer in world.layers}


def _read(layer: LayerDefinition, case: ConnectorCase, size: int) -> tuple[list[str], Complete | None]:
    client = case.connect(case.account)
    with client if hasattr(client, "__enter__") else nullcontext(client) as entered:
        stream = pages(layer, Run(Subject(case.subject, account=case.account), client=entered))
        found: list[str] = []
        while True:
            try:
                page = next(stream)
            except StopIteration as stop:
                return found, stop.value
            except SourceError as error:
                raise ConnectorFault(f"in pages of {size}: {error}") from error
            if unreadable := [record for record in page if isinstance(record, Unreadable)]:
                raise ConnectorFault(f"{layer.name}: in pages of {size} the source gives a record that does not fit its"
                                     f" layer's type: {unreadable[0].error}")
            if len(page) > size:
                raise ConnectorFault(f"{layer.name}: expected pages of at most {size} records, got one of {len(page)}")
            found += [str(key) for key in layer.keys(page)]


def _found(layer: LayerDefinition, values: list[str], run: Run) -> Mapping[str, list[str]]:
    verbs = Verbs(run)
    try:
        return verbs.find(layer, values)
    finally:
        verbs.close()


@contextmanager
def _world(case: ConnectorCase, where: str) -> Iterator[World]:
    with _store(case) as url, World(case, url) as world:
        world.where = where
        yield world


@contextmanager
def _store(case: ConnectorCase) -> Iterator[str]:
    if case.store_url is not None:
        yield case.store_url
        return
    place = _MEMORY if os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="penstock-kit-", dir=place, ignore_cleanup_errors=True) as folder:
        yield f"sqlite:///{quote(folder)}/store.db"


Check = Callable[[ConnectorCase], None]

CHECKS: Mapping[str, Check] = {check.__name__: check for check in (
    first_sync, unchanged_run, changes, any_page_size, look_up, killed, killed_for_real, answers_lost, answers_torn,
    requests_lost, throttled, source_failing, page_twice, page_cut_short, seeded_faults)}
"""Every check by its name, those first that say most about what is wrong."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check of one case, to be called; its `str` names it, as parameters of a test are named."""

    name: str
    case: ConnectorCase

    def __call__(self) -> None:
        CHECKS[self.name](self.case)

    def __str__(self) -> str:
        return self.name


def connector_checks(case: ConnectorCase) -> list[Checked]:
    """Every check of a case, each to be called: `pytest.mark.parametrize("check", connector_checks(case), ids=str)`."""
    return [Checked(name, case) for name in CHECKS]
