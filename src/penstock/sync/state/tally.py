"""What a run did in each of its layers, for people: kept beside its counts, in the very writes that add to those."""

import msgspec

from penstock.domain.records import Counts


class LayerCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run did in one layer, in records; and the calls that it made for it, each of which is a batch."""

    read: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    failed: int = 0
    blocked: int = 0
    read_calls: int = 0
    write_calls: int = 0

    def added(self, counts: Counts) -> "LayerCounts":
        """These and more."""
        return LayerCounts(self.read + counts.read, self.created + counts.created, self.updated + counts.updated,
                           self.deleted + counts.deleted, self.skipped + counts.skipped, self.failed + counts.failed,
                           self.blocked + counts.blocked, self.read_calls + counts.calls.read,
                           self.write_calls + counts.calls.write)


_NOTHING = LayerCounts()


class Tally:
    """The counts of one run by the names of its layers. Only the window that holds its lease adds to them."""

    def __init__(self, text: str = "") -> None:
        self.layers = read_tally(text)

    def added(self, layer: str, counts: Counts) -> dict[str, LayerCounts] | None:
        """What it would come to with these; None where they are nothing. It is `kept` once that is committed."""
        before = self.layers.get(layer, _NOTHING)
        after = before.added(counts)
        return None if after == before else {**self.layers, layer: after}

    def kept(self, layers: dict[str, LayerCounts]) -> None:
        self.layers = layers


def read_tally(text: str) -> dict[str, LayerCounts]:
    """The counts that a run's row has; none where a later version wrote them."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, LayerCounts])
    except (msgspec.DecodeError, ValueError):
        return {}


def tally_text(layers: dict[str, LayerCounts]) -> str:
    return msgspec.json.encode(layers).decode()
