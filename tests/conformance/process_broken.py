"""A module that a child cannot import, once its parent says so."""

import os

if "UNIMPORTABLE" in os.environ:
    raise RuntimeError("there is no importing this")


def unheard() -> None: ...
