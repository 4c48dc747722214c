"""What a destination holds now of records that a plan is about. It is asked, and told nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.domain.records import ChangeKind
from penstock.sync.declaring.define import LayerDefinition
from penstock.sync.declaring.ports import Run
from penstock.sync.destination.seen import can_tell
from penstock.sync.destination.verbs import Verbs
from penstock.sync.planning.plan import Item
from penstock.sync.state.messages import kept
from penstock.sync.telling.remote import differing, held_values


class Back(msgspec.Struct):
    """What the destination says of one record. `is_there` is None where it could not tell; `found` are the remote ids
    that its look-up gave for a record that is to be created. `held` is what it holds, of which the fields in `differs`
    are not as they would be sent.
    """

    is_there: bool | None = None
    found: list[str] | None = None
    held: Any = None
    differs: list[str] | None = None
    error: str | None = None


class ReadBack:
    """Asks the destination of one run. Close it afterwards."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._verbs = Verbs(run)

    def of(self, layer: LayerDefinition, kind: str, items: Sequence[Item]) -> dict[str, Back]:
        """By key, what is there of records to which this kind of change is planned.

        An error of the destination is told of each of them, and raised to nobody.
        """
        found = {item.key: Back() for item in items}
        try:
            self._ask(layer, kind, items, found)
        except Exception as error:
            for back in found.values():
                back.error = kept(f"{type(error).__name__}: {error}")
        return found

    def close(self) -> None:
        self._verbs.close()

    def _ask(self, layer: LayerDefinition, kind: str, items: Sequence[Item], found: Mapping[str, Back]) -> None:
        ids = {item.key: [item.remote_id] for item in items if item.remote_id is not None}
        if kind == "create" and layer.verb("find") is not None:
            ids = self._looked_up(layer, items, found)
        wanted = [remote_id for several in ids.values() for remote_id in several]
        if not wanted or not can_tell(layer):
            return
        held = held_values(layer, self._verbs, self._run, wanted)
        for item in items:
            if ids.get(item.key):
                back = found[item.key]
                back.held = next((held[remote_id] for remote_id in ids[item.key] if remote_id in held), None)
                back.is_there = back.held is not None
                if kind != "delete":
                    back.differs = differing(item.change(ChangeKind(kind)).payload, back.held)

    def _looked_up(self, layer: LayerDefinition, items: Sequence[Item], found: Mapping[str, Back]
                   ) -> dict[str, list[str]]:
        """The remote ids of records that the destination has already, though they are to be created."""
        values = {item.key: item.key if layer.match is None else item.match for item in items}
        asked = [value for value in values.values() if value is not None]
        ids = self._verbs.find(layer, asked) if asked else {}
        for key, value in values.items():
            if value is not None:
                found[key].found = ids.get(value, [])
                found[key].is_there = bool(found[key].found)
        return {key: ids[value] for key, value in values.items() if value in ids}
