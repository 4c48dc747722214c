"""One fresh source, destination and store, with the real engine between them, on a clock that the kit moves."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from penstock.domain.errors import DeclarationError
from penstock.domain.records import Subject
from penstock.sync.declaring.declare import Layer, Sync
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.state.runs import RunRow, latest_runs
from penstock.testing.clock import FakeClock
from penstock.testing.connectors.case import ConnectorCase, Records
from penstock.testing.connectors.faults import Fault, Faults, Killed
from penstock.testing.connectors.mortal import MortalApp
from penstock.testing.connectors.reading import ReadThrough
from penstock.testing.connectors.sending import Log, SendThrough, Sent, Verb, own_verbs
from penstock.testing.connectors.verdict import (
    ConnectorFault,
    Expected,
    differences,
    duplicates,
    listed,
    misplaced,
    missing,
    pairs,
)
from penstock.testing.draining import drain
from penstock.testing.place import clear

SYNC = "connector-kit"
_UNTIL_IT_IS_RESCUED = timedelta(hours=2)
_UNTIL_THE_NEXT_TRY = timedelta(hours=1)
_UNTIL_THE_NEXT_RUN = timedelta(hours=25)  # deletes are withheld where there are too many of them in a day
_AFTER_ALL_ELSE = timedelta(days=30)
_MOST_TRIES = 12
_MOST_RUNS = 4


Stage = Literal["whole", "begun", "resumed"]
"""Whether a world makes its ends and its store anew, the store only, or goes on in what another process left."""


class World:
    """A case under way. `where` says what has been done to it, for messages."""

    def __init__(self, case: ConnectorCase, url: str, faults: Faults | None = None, stage: Stage = "whole") -> None:
        self._case = case
        self._url = url
        self._stage = stage
        self._records: Records = {}
        self.page_size = case.page_size
        self.faults = faults or Faults(requests=case.proxy is not None)
        self.log = Log()
        self.where = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._stage == "whole":
                self._case.fresh()
            if self._case.proxy is not None:
                self._case.proxy.faults = self.faults
            self.app = stack.enter_context(MortalApp(self._url, self.faults))
            self._declared = _declared(self._case, self)
            self.app.sync(SYNC)(self._declared)
            self.app.migrate()
            if self._stage != "resumed":
                clear(self.app)
            at = datetime.now(UTC) + _AFTER_ALL_ELSE if self._stage == "resumed" else None
            self._clock = stack.enter_context(FakeClock(self.app, at))
            stack.callback(self._stop)
            self._left = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._left.close()

    @property
    def layers(self) -> Sequence[LayerDefinition]:
        """The layers as the engine has them, parents first."""
        return self.app.definition(SYNC).layers

    def put(self, records: Records) -> None:
        """Let the source hold these records."""
        self._records = records
        self._case.put(records)

    def kept(self, layer: str) -> Sequence[Any]:
        """The records of one layer, for the kit's own source."""
        return self._records[layer]

    def expected(self, records: Records) -> Expected:
        """What the destination should hold for these records."""
        expected = {layer.name: {self._case.identity(layer, record): self.rendered(layer, record)
                                 for record in records[layer.name]} for layer in self.layers}
        for layer in self.layers:
            for record in records[layer.name]:
                identity = self._case.identity(layer, record)
                once, again = expected[layer.name][identity], self.rendered(layer, record)
                if once != again:
                    raise ConnectorFault(f"{layer.name}: render gives something else each time for {identity!r}:"
                                         f" {once!r}, then {again!r}; so it would be sent in every run")
        return expected

    def rendered(self, layer: LayerDefinition, record: Any) -> Any:
        """What the layer would send of a record."""
        run = Run(Subject(self._case.subject, account=self._case.account))
        return layer.render(record, run) if layer.render else None

    def sync(self, *faults: Fault) -> RunRow:
        """Request the subject and serve it until its run has ended, through whatever the faults do to it."""
        self._clock.advance(_UNTIL_THE_NEXT_RUN)
        self._declared.request(self._case.subject, account=self._case.account)
        self.faults.arm(*faults)
        try:
            return self._finished()
        finally:
            self.faults.arm()

    def resumed(self) -> RunRow:
        """Serve the run that another process has left, or has not begun."""
        self._declared.request(self._case.subject, account=self._case.account)
        return self._finished()

    def _finished(self) -> RunRow:
        run: RunRow | None = None
        for _ in range(_MOST_TRIES):
            try:
                drain(self.app)
                found, requested = latest_runs(self.app.store, SYNC, [self._case.subject])
                run = found[0] if found else None
                if run is not None and run.status not in ("pending", "running") and not requested:
                    return run
                self._clock.advance(_UNTIL_THE_NEXT_TRY)
            except Killed:
                self.faults.dead = False
                self._clock.advance(_UNTIL_IT_IS_RESCUED)
        raise ConnectorFault(f"{self.where}: expected the run to end within {_MOST_TRIES} tries, got a run that is"
                             f" {run.status if run else 'not there'}: {run.error if run else None}")

    def begun(self) -> RunRow:
        """Sync without any fault: one run, in which nothing fails."""
        run = self.sync()
        if not _ended_well(run):
            raise ConnectorFault(f"{self.where}: expected a run without any fault to succeed with every record, got"
                                 f" {self._came_to(run)}{self._last_calls()}")
        return run

    def flawless(self) -> None:
        """Sync without any fault, after which all is as it should be."""
        self.settled(self.begun())

    def settled(self, after: RunRow) -> None:
        """Raise `ConnectorFault` unless the destination becomes what the source says, and the next run is quiet.

        `after` is the run before. One that ended well leaves nothing to be done, but for the removals of layers whose
        scope is the account, which are for the next read; else a few more may write.
        """
        self.nothing_twice()
        if any(layer.account_scoped for layer in self.layers):
            after = self.sync()
        for _ in range(_MOST_RUNS):
            if _ended_well(after):
                break
            after = self.sync()
        self.equal()
        self.quiet()

    def quiet(self) -> None:
        """One run that must find nothing to do."""
        before, held = len(self.log.sent), self._held()
        run = self.sync()
        wrote = self.log.sent[before:]
        if _wrote(run, wrote) or not _ended_well(run):
            raise self._restless(run, wrote)
        if changed := differences(held, self._case.held()):
            raise ConnectorFault(f"{self.where}: a run of an unchanged source called no verb that writes, and yet the"
                                 f" destination changed; something else in the connector writes:\n{listed(changed)}")

    def _held(self) -> Expected:
        held = self._case.held()
        return {layer.name: dict(pairs(held, layer.name)) for layer in self.layers}

    def equal(self) -> None:
        """Raise `ConnectorFault` unless the destination holds what the source says, each record once, and no more."""
        kept = [layer.name for layer in self.layers if layer.on_delete == "keep"]
        held = self._case.held()
        if found := differences(self.expected(self._records), held, kept) + misplaced(self._parents(), held):
            raise ConnectorFault(f"{self.where}: the destination is not what the source says:\n{listed(found)}"
                                 f"{self._last_calls()}")

    def _parents(self) -> dict[str, dict[str, str]]:
        """The identity of the parent of each record of the source, by layer and identity; of those that have one."""
        by_key = {layer.name: {layer.keys([record])[0]: self._case.identity(layer, record)
                               for record in self._records[layer.name]} for layer in self.layers}
        return {layer.name: {
                    self._case.identity(layer, record): by_key[layer.parent.target][key]
                    for record in self._records[layer.name]
                    if (key := layer.parent.keys([record])[0]) in by_key[layer.parent.target]}
                for layer in self.layers if layer.parent is not None}

    def nothing_twice(self) -> None:
        """Raise `ConnectorFault` where a record is at the destination more than once."""
        if found := duplicates(self.expected(self._records), self._case.held()):
            raise ConnectorFault(
                f"{self.where}: expected each record once, got\n{listed(found)}\nA create whose answer was lost was"
                " sent again: give the destination a find that finds what was created, or say that it is idempotent, or"
                f" enforces_key{self._last_calls()}")

    def nothing_lost(self, records: Records) -> None:
        """Raise `ConnectorFault` where one of these records, which the source has, is not at the destination."""
        if found := missing(self.expected(records), self._case.held()):
            raise ConnectorFault(
                f"{self.where}: what the source still has was deleted:\n{listed(found)}\nA read that did not give every"
                " record has to raise, or to end without Complete; count what was given against what the source says"
                f" that it has{self._last_calls()}")

    def _restless(self, run: RunRow, wrote: Sequence[Sent]) -> ConnectorFault:
        what = "; ".join(map(str, wrote[:4])) or f"{run.write_calls} calls that wrote"
        return ConnectorFault(f"{self.where}: expected the next run of an unchanged source to write nothing, got"
                              f" {what if _wrote(run, wrote) else self._came_to(run)}. Either the source or render"
                              " gives something else each time, or the destination refuses what it is sent, or tells no"
                              f" remote id{self._last_calls()}")

    def _came_to(self, run: RunRow) -> str:
        told = f": {run.error}" if run.error else ""
        return (f"a run that {run.status}, with {run.failed} records failed, {run.blocked} blocked and {run.withheld}"
                f" deletes withheld{told}")

    def _last_calls(self) -> str:
        return "\nThe last calls were:\n" + "\n".join(f"  {sent}" for sent in self.log.sent[-6:]) \
            if self.log.sent else "\nNothing was ever sent"

    def _stop(self) -> None:
        """Leave no worker behind that a failed check has killed, or the next world would find it alive."""
        self.faults.dead = False
        self._clock.advance(_UNTIL_IT_IS_RESCUED)
        self.app.upkeep().rescue()


def _ended_well(run: RunRow) -> bool:
    return run.status == "succeeded" and not (run.failed or run.blocked or run.withheld)


def _wrote(run: RunRow, wrote: Sequence[Sent]) -> bool:
    return bool(wrote or run.write_calls or run.created or run.updated or run.deleted)


def _declared(case: ConnectorCase, world: World) -> type[Sync[Any]]:
    """The case's layers as a sync of one subject, with boundaries around all that they read and call."""
    declared = [_through(layer, case, world) for layer in case.layers()]
    for records, name in ((case.first, "first"), (case.then, "then")):
        if lacking := [layer.__name__ for layer in declared if layer.__name__ not in records]:
            raise DeclarationError(f"{type(case).__name__}: {name}: expected records of each layer, by its name, got"
                                   f" none of {', '.join(lacking)}")

    class Kit(Sync[Any]):
        layers = declared

        def subjects(self) -> Iterator[Subject]:
            yield Subject(case.subject, account=case.account)

        def connect(self, account: str) -> Any:
            return case.connect(account)

    return Kit


def _through(layer: type[Layer[Any]], case: ConnectorCase, world: World) -> type[Layer[Any]]:
    name, faults = layer.__name__, world.faults
    verb = Verb(name, faults, world.log)
    members: dict[str, Any] = {
        "__module__": layer.__module__, "__doc__": layer.__doc__, **own_verbs(layer, verb),
        "source": ReadThrough(layer.source, name, faults, lambda: world.page_size, lambda: world.kept(name)),
    }
    if layer.destination is not None:
        members["destination"] = SendThrough(layer.destination, verb)
    if case.batch_size is not None:
        members["batch_size"] = case.batch_size
    return type(name, (layer,), members)
