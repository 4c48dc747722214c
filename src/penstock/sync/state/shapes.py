"""Field digests as a layer's state keeps them: the number of a shape, then the digest of each of its fields.

A shape is the names of a payload's fields, kept once for the whole layer.
"""

from collections.abc import Iterable, Mapping

import msgspec

from penstock.domain.fields import FIELD_BYTES
from penstock.store.port import Store, Transaction

_NUMBER_BYTES = 3
_MOST = 1000
"""Shapes of one layer: payloads whose fields have names without end are compared as a whole."""


class Shapes:
    """The shapes of one layer's payloads; new ones are numbered where the first record of their kind is saved."""

    def __init__(self, store: Store, table: str) -> None:
        self._store = store
        self._table = table
        self._names: dict[int, tuple[str, ...]] = {}
        self._numbers: dict[tuple[str, ...], int] = {}
        self._fresh: list[tuple[str, ...]] = []

    def encoded(self, tx: Transaction, digests: Iterable[Mapping[str, bytes] | None]) -> list[bytes | None]:
        """What is to be kept of the digests of each payload; None where there are none, or too many shapes.

        `committed` says that the transaction was; until then the numbers that it gave are not relied on.
        """
        while self._fresh:
            self._numbers.pop(self._fresh.pop(), None)
        return [None if each is None else self._one(tx, each) for each in digests]

    def committed(self) -> None:
        """What was encoded last is in the store."""
        self._fresh.clear()

    def decoded(self, kept: bytes | None) -> Mapping[str, bytes]:
        """The digests by name that were kept; none where nothing was."""
        if not kept:
            return {}
        number = int.from_bytes(kept[:_NUMBER_BYTES], "big")
        if number not in self._names:
            self._store.read(self._read)
        names = self._names.get(number, ())
        starts = range(_NUMBER_BYTES, len(kept), FIELD_BYTES)
        return {name: kept[start:start + FIELD_BYTES] for name, start in zip(names, starts, strict=False)}

    def _one(self, tx: Transaction, digests: Mapping[str, bytes]) -> bytes | None:
        names = tuple(sorted(digests))
        if names not in self._numbers:
            self._read(tx)
        number = self._numbers.get(names)
        if number is None:
            if len(self._numbers) >= _MOST:
                return None
            row = tx.row("shape_number", {"layer_table": self._table, "names": msgspec.json.encode(names).decode()})
            assert row is not None
            number = self._numbers[names] = int(row[0])
            self._fresh.append(names)
        return number.to_bytes(_NUMBER_BYTES, "big") + b"".join(digests[name] for name in names)

    def _read(self, tx: Transaction) -> None:
        for number, names in tx.rows("shapes", {"layer_table": self._table}):
            self._names[number] = shape = tuple(msgspec.json.decode(names))
            self._numbers[shape] = number
