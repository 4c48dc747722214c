"""The tables of layers: which of them a store lacks, and what it keeps under a layer's former name or keys.

`layers` has a row for every table. One whose layer has another name now stays there with the version `GONE`, and says
in `sync` and `layer` where its state went, so that an app of before is told instead of given an empty table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from penstock.store.port import Transaction
from penstock.store.statements import Dialect, statement

LAYER_VERSION = 3
"""Of the statements that make a layer's tables: one that the first made is made anew, with its rows."""
GONE = -1
_LAYERS_HAVE_VERSIONS = 5
_LAYERS_HAVE_KEYS = 10


class Former(NamedTuple):
    """Where the state of a layer may be that had another name."""

    table: str
    sync: str
    layer: str


@dataclass(frozen=True, slots=True)
class LayerTable:
    """A table of one layer: its state, or (`claims`) which subjects have its rows in their source.

    `keys` are the fields of its key as text, None where that does not matter; `keys_were` those that it had before.
    """

    state: str
    sync: str
    layer: str
    claims: bool = False
    keys: str | None = None
    keys_were: str | None = None
    former: tuple[Former, ...] = ()

    @property
    def table(self) -> str:
        """The table's name, without its schema."""
        return f"{self.state}_claims" if self.claims else self.state

    @property
    def statement(self) -> str:
        """The name of the statement that makes it."""
        return "create_claims" if self.claims else "create_layer"


class Registered(NamedTuple):
    """What the store says of a layer's table. `first_table`: what it was called when it was made, if otherwise."""

    table: str
    version: int
    sync: str
    layer: str
    created_at: int
    keys: str | None = None
    keys_were: str | None = None
    first_table: str | None = None

    @property
    def identity(self) -> str:
        """The same for as long as its rows keep their numbers, whatever it is called."""
        return f"{self.first_table or self.table}@{self.created_at}"


@dataclass(frozen=True, slots=True)
class Step:
    """A statement by name. One without parameters may consist of several."""

    name: str
    params: Mapping[str, str | int | None] = field(default_factory=dict)
    layer: str | None = None
    former: str | None = None

    def run(self, tx: Transaction, dialect: Dialect) -> None:
        if self.params:
            tx.execute(self.name, self.params, layer=self.layer)
        else:
            tx.script(statement(self.name, dialect, layer=self.layer, former=self.former).sql)

    def text(self, dialect: Dialect) -> str:
        """The same with its parameters written out; the values are names of ours, checked at declaration."""
        sql = statement(self.name, dialect, layer=self.layer, former=self.former).sql
        for parameter, value in sorted(self.params.items(), reverse=True):  # `keys_were` before `keys`
            sql = sql.replace(f"%({parameter})s" if dialect == "postgres" else f":{parameter}", _literal(value))
        return sql.replace("%%", "%")


class Stage(NamedTuple):
    """Steps that belong together. `needed`: no worker may start before they are made."""

    what: str
    steps: list[Step]
    needed: bool = True


def registered(tx: Transaction) -> dict[str, Registered]:
    """What the store says of every layer's table, by its name; also of one that an earlier version made."""
    exists = tx.row("migrations_exist")
    if not exists or not exists[0]:
        return {}
    applied = {row[0] for row in tx.rows("applied_migrations")}
    if _LAYERS_HAVE_KEYS in applied:
        return noted(tx)
    name = "layers_with_versions" if _LAYERS_HAVE_VERSIONS in applied else "layers_registered"
    return {row[0]: Registered(*row) for row in tx.rows(name)}


def noted(tx: Transaction) -> dict[str, Registered]:
    """The same of a store that has every migration."""
    return {row[0]: Registered(*row) for row in tx.rows("layers_noted")}


def outdated(found: Mapping[str, Registered], layers: Iterable[LayerTable]) -> str | None:
    """What a newer version of the app made of these layers; None where this app knows all that the store does."""
    layers = list(layers)
    names = {(layer.sync, layer.layer) for layer in layers}
    for layer in layers:
        mine = found.get(layer.table)
        if mine is None:
            continue
        brought_back = any(found[each.table].version != GONE for each in layer.former if each.table in found)
        if mine.version == GONE and (mine.sync, mine.layer) not in names and not brought_back:
            return (f"the state of layer {layer.layer} of {layer.sync} is that of layer {mine.layer} of {mine.sync}"
                    f" now: this is an earlier version of the app, so start the one that declares that. To go back to"
                    f" the earlier name, declare was={mine.layer!r} on {layer.layer} (or, if the sync was renamed,"
                    f" was={mine.sync!r} on {layer.sync})")
        if layer.keys is not None and layer.keys == mine.keys_were and mine.keys not in (layer.keys, layer.keys_were):
            return (f"the keys of layer {layer.layer} of {layer.sync} are {mine.keys} now, and were {layer.keys}: this"
                    f" is an earlier version of the app, so start the one that declares that. To go back to the"
                    f" earlier keys, declare key_was={mine.keys!r}")
    return None


def _literal(value: str | int | None) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
