"""What syncs and layers were called before: whether that can be, and where the state of each may lie."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from penstock.domain.names import layer_table
from penstock.store.layers import Former, LayerTable
from penstock.sync.declaring.declare import Layer, SyncDefinition


def several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name, or several, as several."""
    return (names,) if isinstance(names, str) and names else tuple(names)


def layer_faults(layers: Iterable[type[Layer[Any]]]) -> Iterator[str]:
    """What cannot be of the `was` of a sync's layers."""
    layers = list(layers)
    names = {layer.__name__ for layer in layers}
    owners: dict[str, str] = {}
    for layer in layers:
        for name in several(layer.was):
            if name in names:
                yield (f"{layer.__name__}: was names {name}, which is still among the sync's layers: a layer has one"
                       " state; take away one of the two")
            elif not isinstance(name, str) or not name.isidentifier():
                yield f"{layer.__name__}: was: expected the former name of the class, got {name!r}"
            elif name in owners:
                yield f"{layer.__name__}: was names {name}, and so does {owners[name]}: one state cannot go to two"
            owners[name] = layer.__name__


def sync_fault(name: str, was: tuple[str, ...], declared: Mapping[str, SyncDefinition]) -> str | None:
    """What is wrong with the `was` of a sync, or with its name, beside the syncs that are declared already."""
    if name in declared:
        return f"a sync {name!r} is declared already: give one of them another name"
    for former in was:
        if former == name or former in declared:
            return (f"sync {name!r}: was names {former!r}, which is still a sync of this app: a sync has one state;"
                    " take away one of the two")
    for other in declared.values():
        if name in other.options.was:
            return f"sync {name!r}: {other.name!r} says that it was called so (was=): take away one of the two"
        if shared := set(was) & set(other.options.was):
            return f"sync {name!r}: was names {sorted(shared)[0]!r}, and so does {other.name!r}"
    return None


def tables(sync: SyncDefinition) -> list[LayerTable]:
    """The state tables of every layer of a sync, and where else their state may be."""
    found = []
    for layer in sync.layers:
        keys, were = (", ".join(several(fields)) or None for fields in (layer.layer.key, layer.layer.key_was))
        names = product((sync.name, *sync.options.was), (layer.name, *several(layer.layer.was)))
        _, *former = [Former(layer_table(*name), *name) for name in names]
        found.append(LayerTable(layer.table, sync.name, layer.name, keys=keys, keys_were=were, former=tuple(former)))
        if layer.account_scoped:
            found.append(LayerTable(layer.table, sync.name, layer.name, claims=True))
    return found
