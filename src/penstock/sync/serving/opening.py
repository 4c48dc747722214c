"""The run as user code sees it, and the state of its layers."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from penstock.domain.errors import LoaderFailed, StaleLease, Stopping
from penstock.domain.options import RunOptions
from penstock.domain.records import Subject
from penstock.store.port import Store
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.restricting.restrict import state_type
from penstock.sync.state.fence import Fence
from penstock.sync.state.layer import LayerState
from penstock.sync.state.shapes import Shapes


def loaded(definition: SyncDefinition, subject: Subject) -> Run:
    """A run of a subject that is loaded afresh, and is connected to nothing. Raises `LoaderFailed`.

    Where `load` gives None the subject is gone, and the run has nothing to read.
    """
    load = getattr(definition.sync, "load", None)
    if load is None:
        return Run(subject)
    try:
        value = load(subject.key)
    except (StaleLease, Stopping):
        raise
    except Exception as error:
        raise LoaderFailed(f"{definition.name}: load({subject.key!r}) failed: {type(error).__name__}: {error}; the run"
                           " tries again later") from error
    return Run(subject, gone=True) if value is None else Run(replace(subject, value=value))


@contextmanager
def connected(definition: SyncDefinition, account: str) -> Iterator[Any]:
    """The client of an account, until it is closed."""
    client: Any = definition.sync.connect(account)
    with (client if hasattr(client, "__enter__") else nullcontext(client)) as entered:
        yield entered


@contextmanager
def opened(definition: SyncDefinition, subject: Subject) -> Iterator[Run]:
    """A run with its subject and its client, for a look at what is there."""
    run = loaded(definition, subject)
    with connected(definition, subject.account) as client:
        run.client = client
        yield run


def layer_states(store: Store, definition: SyncDefinition, subject: Subject,
                 fence: Fence | None = None, options: RunOptions | None = None) -> dict[str, LayerState]:
    """The state of every layer in the scope that this subject gives it, as a run with these options sees it."""
    asked = options or RunOptions()
    found = {layer.name: state_type(asked, layer.name, subject.key)(
                store, layer.table, layer.scope(subject.key, subject.account), fence,
                Shapes(store, layer.table),
                {each.table: None if layer.account_scoped else subject.key
                 for each in definition.layers if layer.name in each.targets}, layer.account_scoped,
                field_digests=layer.field_digests)
            for layer in definition.layers}
    for name, state in found.items():
        state.layer = name
    return found


def beside(definition: SyncDefinition, subject: Subject) -> list[str]:
    """The subjects of the same account."""
    return [each.key for each in definition.sync.subjects() if each.account == subject.account]
