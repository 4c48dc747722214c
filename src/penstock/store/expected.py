"""What the file of the schema says that there has to be, to compare a store with."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from penstock.store.statements import Dialect

_INDEX = re.compile(r"^create (unique )?index (\w+)\s[^;]*;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Index:
    """An index of the engine's own tables, and the statement that makes it."""

    name: str
    unique: bool
    sql: str


@cache
def indexes(dialect: Dialect) -> tuple[Index, ...]:
    """Every index that the schema names; those of keys are part of their tables, and of layers in `create_layer`."""
    text = files("penstock.store").joinpath("schema", f"{dialect}.sql").read_text("utf-8")
    return tuple(Index(found[2], found[1] is not None, " ".join(found[0].split())) for found in _INDEX.finditer(text))
