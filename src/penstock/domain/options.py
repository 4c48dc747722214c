"""What a request may ask of a run beyond the ordinary: everything again, or only some of it. Pure."""

from collections.abc import Iterable
from typing import Self

import msgspec


class Target(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A layer by its name, or (`key`, as the state has it) one record of it."""

    layer: str
    key: str | None = None

    def __str__(self) -> str:
        return self.layer if self.key is None else f"{self.layer}:{self.key}"


class Audit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """That the destination is read back, with about so many `calls` at most, the next audit going on from there.

    `repair`: what drifted is sent again, and what is missing created again; `force`: be it ever so much.
    """

    calls: int = 1000
    repair: bool = False
    force: bool = False

    def __str__(self) -> str:
        return "audit" + (", repair" if self.repair else "") + (", force" if self.force else "")


class RunOptions(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a run differs from an ordinary one.

    `full`: every record is sent again, whatever its digest, and nothing is deleted. `only`: nothing but these is read,
    sent or deleted. `plan`, by itself: only the changes that the plan of this number names. `audit`: nothing is sent
    but repairs. Make the others with `of`: what means the same is then written the same.
    """

    full: bool = False
    only: tuple[Target, ...] = ()
    plan: int | None = None
    audit: Audit | None = None

    @classmethod
    def of(cls, full: bool = False, only: Iterable[Target] = (), audit: Audit | None = None) -> Self:
        """Options in their one order; a layer makes the targets among its records superfluous."""
        targets = set(only)
        kept = [target for target in targets if target.key is None or Target(target.layer) not in targets]
        return cls(full, tuple(sorted(kept, key=lambda target: (target.layer, target.key or ""))), audit=audit)

    @property
    def text(self) -> str:
        """What requests and runs keep of them; nothing for an ordinary run."""
        return "" if self == RunOptions() else msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """The options that a request or run keeps.

        Raises `ValueError` for what a later version may have written: to overlook it would do more than was asked.
        """
        return msgspec.json.decode(text, type=cls) if text else cls()

    def keys(self, layer: str) -> frozenset[str] | None:
        """The keys to which the run is restricted in a layer; None where it is about all of the layer."""
        keys = frozenset(target.key for target in self.only if target.layer == layer and target.key is not None)
        return keys or None

    def has(self, layer: str) -> bool:
        """Whether the run is about a layer, or records of it."""
        return not self.only or any(target.layer == layer for target in self.only)

    def __str__(self) -> str:
        parts = [str(self.audit)] if self.audit else ["everything again"] if self.full else []
        parts += [f"plan {self.plan}"] if self.plan is not None else []
        return ", ".join(parts + [f"only {target}" for target in self.only])
