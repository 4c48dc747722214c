"""Holds what a destination has against what its source says, and says in words where they differ."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.testing.connectors.case import Held

Expected = Mapping[str, Mapping[str, Any]]
"""What should be there: by layer, from identity to the payload that was rendered (None where none is)."""

_SHOWN = 6
_LONGEST = 160
_encode = msgspec.json.Encoder(enc_hook=str, decimal_format="string").encode


class ConnectorFault(AssertionError):
    """A connector did not pass a check of the kit. The message says which, after what, and what to look at."""


def pairs(held: Held, layer: str) -> list[tuple[str, Any]]:
    """What is held of one layer, as plain JSON values. Raises `ConnectorFault` where the case tells nothing of it."""
    found = held.get(layer)
    if found is None:
        raise ConnectorFault(f"held() tells nothing of the layer {layer}: expected (identity, payload) pairs, and an"
                             f" empty list where it has none; got {', '.join(held) or 'nothing at all'}")
    return [(str(each[0]), _plain(each[1])) for each in _items(found)]


def _items(found: "Iterable[tuple[Any, ...]] | Mapping[str, Any]") -> Iterable[tuple[Any, ...]]:
    return found.items() if isinstance(found, Mapping) else found


def misplaced(parents: Mapping[str, Mapping[str, str]], held: Held) -> list[str]:
    """What is below another parent than the source says; `parents` are identities by layer and identity.

    Only what `held` tells of is judged: the records that it gives with a third value.
    """
    return [f"{layer}: {each[0]!r} is below {each[2]!r}, and should be below {above[str(each[0])]!r}"
            for layer, above in parents.items() for each in _items(held.get(layer, ()))
            if len(each) > 2 and above.get(str(each[0]), each[2]) != each[2]]


def duplicates(expected: Expected, held: Held) -> list[str]:
    """What is there more than once."""
    found = []
    for layer in expected:
        counts: dict[str, int] = {}
        for identity, _ in pairs(held, layer):
            counts[identity] = counts.get(identity, 0) + 1
        found += [f"{layer}: {identity!r} is there {count} times" for identity, count in counts.items() if count > 1]
    return found


def missing(expected: Expected, held: Held) -> list[str]:
    """What the source has and the destination lacks."""
    found = []
    for layer, records in expected.items():
        there = {identity for identity, _ in pairs(held, layer)}
        found += [f"{layer}: {identity!r} is not there" for identity in records if identity not in there]
    return found


def differences(expected: Expected, held: Held, kept: Sequence[str] = ()) -> list[str]:
    """Everything in which the two differ. Layers in `kept` delete nothing, so what is there besides is no fault."""
    found = duplicates(expected, held) + missing(expected, held)
    for layer, records in expected.items():
        for identity, payload in pairs(held, layer):
            if identity not in records:
                if layer not in kept:
                    found.append(f"{layer}: {identity!r} is there, and the source has no such record")
            elif not covers(payload, records[identity]):
                found.append(f"{layer}: {identity!r} is there as {_shown(payload)}, and should be"
                             f" {_shown(records[identity])}")
    return found


def covers(held: Any, rendered: Any) -> bool:
    """Whether what is held (plain) has at least what was rendered, with the same values. A mapping may hold more."""
    if rendered is None:
        return True
    return _covers(held, _plain(rendered))


def _covers(held: Any, rendered: Any) -> bool:
    if isinstance(rendered, dict):
        return isinstance(held, dict) and all(name in held and _covers(held[name], value)
                                              for name, value in rendered.items())
    if isinstance(rendered, list):
        return isinstance(held, list) and len(held) == len(rendered) and all(map(_covers, held, rendered))
    return bool(held == rendered) and isinstance(held, bool) == isinstance(rendered, bool)


def _plain(value: Any) -> Any:
    return msgspec.json.decode(_encode(value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def listed(faults: Sequence[str]) -> str:
    """The first faults, one a line."""
    more = [f"  … and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return "\n".join([f"  {fault}" for fault in faults[:_SHOWN]] + more)
