"""First contact: a destination that may hold records already is read once, before anything is sent to it.

What it holds is kept as rows that are only *observed*: no run touches them, until a source has a record that is surely
one of them (see matching.py). A contact that was broken off begins anew: rows of what was seen before are the same.
"""

from collections.abc import Iterable, Mapping

from penstock.domain.keys import observed_key
from penstock.domain.records import Counts, RecordState
from penstock.store.spool import Spool
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.seen import Seen, read_pages
from penstock.sync.destination.verbs import Verbs
from penstock.sync.state.layer import LayerState
from penstock.sync.state.rows import Mark

_PAGE = 1000


def is_due(layer: LayerDefinition, state: LayerState) -> bool:
    """Whether a layer's destination can be read, and has not been in this scope."""
    return layer.verb("read") is not None and not state.ask("contacted", {})


def make_contacts(layers: Iterable[LayerDefinition], run: Run, verbs: Verbs, states: Mapping[str, LayerState]) -> None:
    """Read the destination of each layer that has never been read in this scope, before the first is planned."""
    for layer in layers:
        state = states[layer.name]
        if is_due(layer, state):
            with run.time.apart():
                _contact(layer, run, verbs, state)


def _contact(layer: LayerDefinition, run: Run, verbs: Verbs, state: LayerState) -> None:
    began_at = state.ask("now", {})[0][0]
    known = Spool()
    try:
        after = ""
        while rows := state.ask("audit_page", {"after": after, "count": _PAGE}):
            after = rows[-1][0]
            known.lay((remote_id, status, b"") for _, remote_id, status, *_ in rows)
        for page in read_pages(layer, run, verbs):
            observe(state, [seen for seen in page if known.kind(seen.remote_id) is None], verbs)
    finally:
        known.close()
    finish_reading(state, began_at)
    state.note("contact_save", {})


def observe(state: LayerState, seen: Iterable[Seen], verbs: Verbs) -> None:
    """Keep records that no row of this scope holds. One without a value of `match` can be shown only."""
    marks = {observed_key(each.value or "", each.remote_id): each for each in seen}
    state.save([Mark(key, RecordState.OBSERVED, remote_id=each.remote_id, answered=each.fields)
                for key, each in marks.items()], Counts(calls=verbs.new_calls()))


def finish_reading(state: LayerState, began_at: int) -> None:
    """After all was read: forget what was observed before and is gone, or is a row's of another scope."""
    state.note("observed_gone", {"before": began_at})
    state.note("observed_release", {})
