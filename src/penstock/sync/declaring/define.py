"""Checks what was declared, all faults at once, and turns it into what the engine runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Any

from penstock.domain.errors import DeclarationError
from penstock.domain.keys import Reader, getter, key_reader
from penstock.domain.limits import Window
from penstock.domain.names import did_you_mean, layer_table, name_fault
from penstock.domain.records import RATES
from penstock.sync.declaring.declare import Layer, Reference, Sync, SyncDefinition, SyncOptions
from penstock.sync.declaring.guard import Guard
from penstock.sync.declaring.misspelt import misspelt
from penstock.sync.declaring.record_types import field_names, is_mapping
from penstock.sync.declaring.renamed import layer_faults, several
from penstock.sync.declaring.renderer import fingerprint
from penstock.sync.declaring.shared import snapshot_faults
from penstock.sync.declaring.single import singly

_SCOPES = ("subject", "account")
_MODES = ("mirror", "upsert", "create_only", "update_only")
_ON_DELETE = ("delete", "disable", "keep")
_DEFAULT_BATCH = 100


@dataclass(frozen=True, slots=True)
class Link:
    """A parent or reference of a layer, with how to read its key from a record of the child."""

    target: str
    keys: Reader


@dataclass(frozen=True, slots=True)
class LayerDefinition:
    """A layer as the engine runs it."""

    name: str
    table: str
    layer: Layer[Any]
    record_type: Any
    keys: Reader
    former_keys: Reader | None
    match: Callable[[Any], Any] | None
    render: Callable[[Any, Any], Any] | None
    parent: Link | None
    references: tuple[Link, ...]
    account_scoped: bool
    on_delete: str
    batch_size: int
    batch_bytes: int | None = None
    mode: str = "mirror"
    field_digests: bool = True
    in_doubt_seconds: float = 0.0
    rate_codes: frozenset[str] = RATES

    def verb(self, name: str) -> Callable[[Any, Any], Any] | None:
        """A verb for a batch: the layer's own, one made of its `…_one`, or the destination's."""
        if own := getattr(self.layer, name, None):
            return own  # type: ignore[no-any-return]
        if one := getattr(self.layer, f"{name}_one", None):
            return singly(one)
        if name == "read" and not self.account_scoped and \
                getattr(self.layer.destination, "read_scope", "subject") == "account":
            return None  # what many subjects share would be read, and kept, for each of them
        return getattr(self.layer.destination, name, None)

    def declares(self, capability: str) -> bool:
        """Whether the layer or its destination declares a capability, such as `enforces_key`."""
        return any(getattr(owner, capability, False) is True for owner in (self.layer, self.layer.destination))

    @property
    def version(self) -> str:
        """What of the declaration decides what is sent: where it differs, what was passed over has to be read again."""
        declared = self.layer
        links = [(each.layer.__name__, each.fields) for each in (declared.parent, *declared.references) if each]
        return f"{self.mode} {declared.key} {declared.match} {links} {fingerprint(self.render)}"

    @property
    def targets(self) -> set[str]:
        """The names of the layers to which this one refers."""
        return {link.target for link in (self.parent, *self.references) if link is not None}

    def scope(self, subject: str, account: str) -> str:
        return account if self.account_scoped else subject


def define(name: str, declared: type[Sync[Any]], options: SyncOptions) -> SyncDefinition:
    """Check a sync and its layers. Raises `DeclarationError` with every fault."""
    faults: list[str] = []
    if fault := name_fault("sync", name):
        faults.append(fault)
    if not declared.layers:
        faults.append(f"{declared.__name__}: expected layers = [...], got none")
    names = [layer.__name__ for layer in declared.layers]
    for twice in {layer for layer in names if names.count(layer) > 1}:
        faults.append(f"{declared.__name__}: layer {twice} is listed twice")
    for option in ("max_concurrent", "per_account"):
        if getattr(options, option) < 1:
            faults.append(f"{declared.__name__}: {option}: expected at least 1, got {getattr(options, option)}")
    window: Any = options.window
    if not isinstance(window, Window | None):
        faults.append(f"{declared.__name__}: window: expected a Window(total=…, headroom=…), got {window!r}")
    faults += snapshot_faults(declared.__name__, declared.snapshot)
    faults += layer_faults(declared.layers)
    layers = {layer.__name__: _layer(name, layer, names, faults) for layer in declared.layers}
    ordered = _ordered(declared, layers, faults)
    if faults:
        raise DeclarationError(faults)
    return SyncDefinition(name, declared(), tuple(ordered), options)


def _layer(sync: str, declared: type[Layer[Any]], names: Sequence[str], faults: list[str]) -> LayerDefinition:
    where, found = declared.__name__, len(faults)
    record_type = declared.record_type()
    mapping, known = is_mapping(record_type), field_names(record_type)

    def check_fields(role: str, wanted: Sequence[str]) -> None:
        for name in wanted:
            if known is not None and name not in known:
                faults.append(f"{where}: {role} {name!r} is no field of {record_type.__name__}"
                              f"{did_you_mean(name, known)}")

    keys = (declared.key,) if isinstance(declared.key, str) else tuple(declared.key)
    if not all(keys) or not keys:
        faults.append(f"{where}: expected key = the field, or fields, that identify a record for ever; got none")
    else:
        check_fields("key", keys)
    check_fields("key_was", several(declared.key_was))
    if declared.key_was and several(declared.key_was) == keys:
        faults.append(f"{where}: key_was: expected the fields that the key was before, got those that it is: {keys!r}")
    if declared.match:
        check_fields("match", [declared.match])
    for option, value, allowed in (("scope", declared.scope, _SCOPES), ("on_delete", declared.on_delete, _ON_DELETE),
                                   ("mode", declared.mode, _MODES)):
        if value not in allowed:
            faults.append(f"{where}: {option}: expected one of {', '.join(allowed)}, got {value!r}"
                          f"{did_you_mean(str(value), allowed)}")
    for reference in [declared.parent, *declared.references]:
        if reference is not None:
            check_fields("reference", reference.fields)
            if reference.layer.__name__ not in names:
                faults.append(f"{where}: refers to {reference.layer.__name__}, which is not among the sync's layers"
                              f"{did_you_mean(reference.layer.__name__, names)}")
    faults += misspelt(declared)
    layer = declared()
    if not (callable(layer.source) or hasattr(layer.source, "pages")):
        faults.append(f"{where}: expected a source (a generator method, or an object such as SQLSource), got none")
    for one, other in (("changed_since", "cursor"), ("cursor", "changed_since")):
        if hasattr(layer, one) and not hasattr(layer, other):
            faults.append(f"{where}: has {one} without {other}: what changed is told from a cursor, so write both")
    for verb in _verbs(declared.mode, declared.on_delete):
        if not any(hasattr(owner, name) for owner, name in
                            ((layer, verb), (layer, f"{verb}_one"), (layer.destination, verb))):
            faults.append(f"{where}: no verb {verb!r}: write def {verb}(self, changes, run), or give a destination"
                          " that has it")
    batch = declared.batch_size or getattr(layer.destination, "batch_size", None) or _DEFAULT_BATCH
    if batch < 1:
        faults.append(f"{where}: batch_size: expected at least 1, got {batch}")
    most = declared.batch_bytes or getattr(layer.destination, "batch_bytes", None)
    if declared.batch_bytes is not None and declared.batch_bytes < 1:
        faults.append(f"{where}: batch_bytes: expected at least 1, or None for no bound, got {declared.batch_bytes}")
    guard: Any = declared.guard
    if not isinstance(guard, Guard):
        faults.append(f"{where}: guard: expected a Guard(…), got {guard!r}")
    lag = getattr(layer.destination, "consistency_lag", declared.consistency_lag)
    for each in (lag, declared.consistency_lag):
        if not isinstance(each, timedelta) or each < timedelta(0):
            faults.append(f"{where}: consistency_lag: expected a timedelta of 0 or more, got {each!r}")
            break
    delay = declared.in_doubt_delay
    if not isinstance(delay, timedelta) or delay < timedelta(0):
        faults.append(f"{where}: in_doubt_delay: expected a timedelta of 0 or more, got {delay!r}")
        delay = timedelta(0)
    if len(faults) > found:  # what follows reads what was just refused
        keys, mapping = (), True
    return LayerDefinition(
        name=where, table=layer_table(sync, where), layer=layer, record_type=record_type,
        keys=key_reader(declared.key if isinstance(declared.key, str) else keys, mapping),
        former_keys=key_reader(declared.key_was, mapping) if declared.key_was else None,
        match=getter(declared.match, mapping) if declared.match else None,
        render=getattr(layer, "render", None),
        parent=_link(declared.parent, mapping) if declared.parent else None,
        references=tuple(_link(reference, mapping) for reference in declared.references),
        account_scoped=declared.scope == "account", batch_size=batch, batch_bytes=most, mode=declared.mode,
        on_delete=declared.on_delete if declared.mode == "mirror" else "keep", field_digests=declared.field_digests,
        in_doubt_seconds=delay.total_seconds(), rate_codes=RATES.union(declared.rate_codes),
    )


def _verbs(mode: str, on_delete: str) -> list[str]:
    """The verbs that a layer of this mode needs."""
    match mode:
        case "upsert":
            return ["create", "update"]
        case "create_only":
            return ["create"]
        case "update_only":
            return ["update", "find"]
        case _:
            return ["create", "update", *([on_delete] if on_delete in ("delete", "disable") else [])]


def _link(reference: Reference, mapping: bool | None) -> Link:
    fields = reference.fields[0] if len(reference.fields) == 1 else reference.fields
    return Link(reference.layer.__name__, key_reader(fields, mapping))


def _ordered(declared: type[Sync[Any]], layers: dict[str, LayerDefinition], faults: list[str]) -> list[LayerDefinition]:
    """Parents and references before the layers that need their remote ids; else as they were listed."""
    needs = {name: {link.target for link in _links(layer)} & set(layers) for name, layer in layers.items()}
    try:
        return [layers[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        faults.append(f"{declared.__name__}: layers refer to each other in a circle: {' → '.join(error.args[1])}")
        return list(layers.values())


def _links(layer: LayerDefinition) -> Iterator[Link]:
    if layer.parent:
        yield layer.parent
    yield from layer.references
