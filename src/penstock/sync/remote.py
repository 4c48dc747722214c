"""Asking a destination what it holds of one record, for a person who wants to know."""

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.sync.define import LayerDefinition
from penstock.sync.messages import kept
from penstock.sync.ports import Run
from penstock.sync.told import RemoteSays, Why
from penstock.sync.verbs import Verbs


def ask_remote(layer: LayerDefinition, run: Run, found: Why) -> RemoteSays:
    """Ask the destination, by its look-up and then by reading it until the record comes."""
    says = RemoteSays()
    verbs = Verbs(run)
    try:
        value = found.key if layer.match is None else found.match
        if layer.verb("find") is not None and value is not None:
            says.found = verbs.find(layer, [value]).get(value, [])
        remote_id = found.state.remote_id if found.state is not None else None
        wanted = {remote_id} if remote_id is not None else set(says.found or ())
        read: Any = layer.verb("read")
        if read is not None and wanted:
            says.read = True
            says.held = next((held for id, _, held in _flat(read(run)) if str(id) in wanted), None)
            if isinstance(says.held, Mapping) and isinstance(found.payload, Mapping):
                says.differs = sorted(name for name, sent in found.payload.items() if says.held.get(name) != sent)
    except Exception as error:
        says.error = kept(f"{type(error).__name__}: {error}")
    finally:
        verbs.close()
    return says


def _flat(read: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The records that `read` gives, one by one or in pages: (remote id, match or key, payload)."""
    for each in read:
        yield from each if isinstance(each, list) else [each]
