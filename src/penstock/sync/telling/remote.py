"""Asking a destination what it holds, for people who want to know. It only reads.

A layer, or its destination, may have `read(run)`, which yields (remote id, match value or else key, payload), one by
one or in lists (see sync/destination/seen.py); and `fetch(remote_ids, run)`, which maps each remote id to what is held
there, and leaves out those that are gone.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.seen import can_tell, held_of, raw_pages
from penstock.sync.destination.verbs import Verbs
from penstock.sync.state.messages import kept
from penstock.sync.telling.told import RemoteSays, Why


def held_values(layer: LayerDefinition, verbs: Verbs, run: Run, remote_ids: Sequence[str]) -> dict[str, Any]:
    """What the destination holds under each of some remote ids; without those that it has no more.

    It is asked by `fetch`, in batches; else read, until all of them have come. Raises what the verbs raise.
    """
    wanted = list(dict.fromkeys(remote_ids))
    found: dict[str, Any] = {}
    if layer.verb("fetch") is not None:
        for start in range(0, len(wanted), layer.batch_size):
            found |= verbs.fetch(layer, wanted[start:start + layer.batch_size])
        return found
    missing = set(wanted)
    read: Any = layer.verb("read")
    if not missing or read is None:
        return found
    with closing(raw_pages(verbs.finish(read(run)), verbs)) as pages:
        for page in pages:
            found |= {remote_id: held for remote_id, held in (held_of(layer, record) for record in page)
                      if remote_id in missing}
            missing -= found.keys()
            if not missing:
                break
    return found


def differing(payload: Any, held: Any) -> list[str] | None:
    """The fields of a payload that are not so at the destination; None where the two cannot be held side by side.

    What the destination has besides does not count: it is not ours.
    """
    if not isinstance(held, Mapping) or not isinstance(payload, Mapping):
        return None
    return sorted(name for name, sent in payload.items() if held.get(name) != sent)


def ask_remote(layer: LayerDefinition, run: Run, found: Why) -> RemoteSays:
    """Ask the destination about one record, by its look-up and then by its remote id."""
    says = RemoteSays()
    verbs = Verbs(run)
    try:
        value = found.key if layer.match is None else found.match
        if layer.verb("find") is not None and value is not None:
            says.found = verbs.find(layer, [value]).get(value, [])
        remote_id = found.state.remote_id if found.state is not None else None
        wanted = [remote_id] if remote_id is not None else says.found or []
        if wanted and can_tell(layer):
            says.read = True
            says.held = next(iter(held_values(layer, verbs, run, wanted).values()), None)
            says.differs = differing(found.payload, says.held)
    except Exception as error:
        says.error = kept(f"{type(error).__name__}: {error}")
    finally:
        verbs.close()
    return says
