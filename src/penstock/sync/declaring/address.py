"""From what people type to a layer of a sync, and to the key of a record as the layer's state has it."""

from collections.abc import Sequence

from penstock.domain.errors import ConfigurationError
from penstock.domain.keys import compound, key_text, typed_key
from penstock.domain.names import did_you_mean
from penstock.domain.options import Target
from penstock.sync.declaring.declare import SyncDefinition
from penstock.sync.declaring.define import LayerDefinition


def layer_of(definition: SyncDefinition, name: str) -> LayerDefinition:
    """A layer by its name. Raises `ConfigurationError` with the nearest name."""
    names = [layer.name for layer in definition.layers]
    for layer in definition.layers:
        if layer.name == name:
            found: LayerDefinition = layer
            return found
    raise ConfigurationError(f"{definition.name}: expected one of its layers, {', '.join(names)}, got"
                             f" {name!r}{did_you_mean(name, names)}")


def key_of(layer: LayerDefinition, text: str) -> str:
    """The key that somebody typed: several fields as a JSON array or with commas between.

    Raises `ConfigurationError` where it is none of this layer.
    """
    try:
        key = typed_key(layer.layer.key, text)
    except ValueError as error:
        raise ConfigurationError(f"{layer.name}: {error}") from None
    if not key:
        raise ConfigurationError(f"{layer.name}: expected a key, got nothing")
    return key


def target_of(definition: SyncDefinition, text: str) -> Target:
    """What `LAYER` or `LAYER:KEY` names. Raises `ConfigurationError`."""
    name, colon, key = text.partition(":")
    layer = layer_of(definition, name)
    return Target(layer.name, key_of(layer, key) if colon else None)


def record_of(definition: SyncDefinition, name: str, key: str | int | Sequence[str | int]) -> Target:
    """What a layer's name and a key name, as code has them; a key of several fields may be a sequence of their values.

    Raises `ConfigurationError`.
    """
    layer = layer_of(definition, name)
    if isinstance(key, str | int):
        return Target(layer.name, key_of(layer, str(key)))
    fields = (layer.layer.key,) if isinstance(layer.layer.key, str) else tuple(layer.layer.key)
    text = compound(key) if len(key) == len(fields) else None
    if text is None:
        raise ConfigurationError(f"{name}: expected the values of {', '.join(fields)}, got {key!r}")
    return Target(layer.name, key_text(key[0]) if isinstance(layer.layer.key, str) else text)
