"""httpx2, which Penstock's own connectors use: see `httpx`."""

import importlib

from penstock.observe.instruments.httpx import wrap
from penstock.observe.instruments.patches import Patches

LIBRARY = "httpx2"


def install(patches: Patches) -> None:
    wrap(patches, importlib.import_module(LIBRARY))
