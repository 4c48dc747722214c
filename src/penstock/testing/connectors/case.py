"""What the author of a connector tells the kit: how to make both ends anew, fill the source, and read the destination.

A case is used for many small worlds one after the other, so `fresh` has to leave nothing of the world before.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from penstock.sync.declaring.declare import Layer
from penstock.sync.declaring.define import LayerDefinition
from penstock.testing.connectors.proxy import FaultyProxy

Records = Mapping[str, Sequence[Any]]
"""Records by the name of their layer, each of the layer's type."""

Held = Mapping[str, "Iterable[tuple[str, Any] | tuple[str, Any, str | None]] | Mapping[str, Any]"]
"""What a destination holds, by the name of the layer: (identity, payload) of each record there, and where the layer has
a parent the identity of the record that it is below, if that is to be held against the source as well."""


class ConnectorCase:
    """One connector as the kit tries it. Subclass it.

    `first` and `then` are what the source holds before and after somebody has edited it: `then` adds, changes, removes
    and leaves alone at least one record each. Some ten records do: the kit reads them in pages of `page_size` and sends
    them in calls of at most `batch_size` (None: as the layer says), so that there are calls enough to go wrong.
    """

    first: Records
    then: Records

    subject = "kit-subject"
    """The key of the one subject that is synchronised: a source sees it as `run.subject.key`."""
    account = "kit-account"
    page_size = 3
    batch_size: int | None = 3

    proxy: FaultyProxy | None = None
    """The proxy that the connector's HTTP client talks through, if it does: faults then strike each request."""

    store_url: str | None = None
    """The store of the engine between both ends, which the kit EMPTIES; None is a SQLite file of its own."""

    finds_nothing = False
    """True where there is nothing to be found, as at a printer: then `find` may give nothing at all."""

    outlives_processes = False
    """True where the case can be pickled and both ends live outside of this process: then the kit kills real ones."""

    def fresh(self) -> None:
        """Make both ends anew, empty. Whatever they were before is not used any more."""
        raise NotImplementedError(f"{type(self).__name__}: write def fresh(self), which empties both ends")

    def layers(self) -> Sequence[type[Layer[Any]]]:
        """The layers, declared as an application declares them; asked for after each `fresh`.

        A layer without a source gets one of the kit's, which gives the records that `put` was called with.
        """
        raise NotImplementedError(f"{type(self).__name__}: write def layers(self), which gives the layers to try")

    def put(self, records: Records) -> None:
        """Let the source hold exactly these records. Nothing to do where the kit's own source is used."""

    def held(self) -> Held:
        """What the destination holds, read past the connector, as pairs so that what is there twice shows.

        The identity of a record is what `identity` gives for it, and its payload at least what `render` gives (a
        destination may add fields of its own). Leave out what was disabled. In a tree of layers, a third value says
        which record of the parent's layer it is below.
        """
        raise NotImplementedError(f"{type(self).__name__}: write def held(self), which reads the destination")

    def connect(self, account: str) -> Any:
        """What a sync's `connect` gives: a client, or a context manager that gives one; else None."""
        return None

    def identity(self, layer: LayerDefinition, record: Any) -> str:
        """By what a record is known in `held`: its `match` where the layer has one, else its key."""
        return str(layer.match(record)) if layer.match else str(layer.keys([record])[0])

    def cut_short(self) -> AbstractContextManager[None] | None:
        """A block in which reads of the source end early though it holds more: a torn file, a page that lost its half.

        The connector has to notice. None where its source is the kit's, or cannot be cut.
        """
        return None
