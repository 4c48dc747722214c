"""Instruments: what has a driver or a client tell the trace that is active of what it does. Each is installed by one
line and removed by another; where no trace is active it does nothing but look whether there is one.

Each is a module with two names: `LIBRARY`, what has to be importable, and `install(patches)`, which replaces parts of
that library through `patches` and so that they can be put back.
"""

import threading
from importlib import import_module
from typing import Any

from penstock.domain.errors import ConfigurationError
from penstock.domain.names import did_you_mean
from penstock.observe.instruments.patches import Instrument, Patches

NAMES = ("asyncpg", "celery", "django", "httpx", "httpx2", "psycopg", "requests", "sleep", "sqlalchemy", "sqlite3",
         "urllib3")
"""What can be instrumented."""

_installed: dict[str, Patches] = {}
_lock = threading.Lock()


def instrument(name: str, *, app: Any = None) -> None:
    """Have a library tell traces of its statements, its calls or its sleeps: see `NAMES`.

    `"celery"` makes a trace of each task; `app` says in whose store those are kept, as with `penstock.trace`. To
    install twice does nothing more. Raises `ConfigurationError` for a name that is not known, and for a library that is
    not installed.
    """
    module = _module(name)
    if app is not None and name != "celery":
        raise ConfigurationError(f"expected app= with instrument('celery') alone, which begins traces; got it with"
                                 f" {name!r}, which tells those that are active: leave it out")
    with _lock:
        if name in _installed:
            return
        try:
            import_module(module.LIBRARY)
        except ImportError as error:
            raise ConfigurationError(f"expected {module.LIBRARY} to be installed, since instrument({name!r}) was asked"
                                     f" for, got: {error}; install it, or leave out that line") from error
        patches = Patches()
        try:
            module.install(patches, **({} if app is None else {"app": app}))
        except BaseException:
            patches.restore()
            raise
        _installed[name] = patches


def uninstrument(name: str | None = None) -> None:
    """Make a library as it was before `instrument(name)`; without a name, all of them. Nothing where it was not."""
    if name is not None:
        _module(name)
    with _lock:
        for each in [name] if name is not None else list(reversed(_installed)):
            if patches := _installed.pop(each, None):
                patches.restore()


def installed() -> tuple[str, ...]:
    """The names of what is instrumented now, in the order in which it was."""
    return tuple(_installed)


def _module(name: str) -> Instrument:
    if name not in NAMES:
        raise ConfigurationError(f"expected the name of a library that can be instrumented, one of {', '.join(NAMES)};"
                                 f" got {name!r}{did_you_mean(str(name), NAMES)}")
    module: Instrument = import_module(f"{__name__}.{name}")
    return module
