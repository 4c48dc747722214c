"""`penstock.trace`: code that is no job, traced like one."""

import functools
import inspect
import threading
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from penstock.app.tracing import Tracing
from penstock.config import find_app
from penstock.domain.errors import ConfigurationError
from penstock.observe.instruments import celery
from penstock.observe.nesting import Nested
from penstock.observe.recorder import Nowhere, Recorder
from penstock.observe.trace import active
from penstock.store.port import Store

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST = 200


class trace:  # noqa: N801 - it reads like a function: `with penstock.trace("nightly"):`
    """Trace code that is no job: `with penstock.trace("nightly-calculation"):`, or as a decorator.

    It says afterwards where its time went: what it waited for in databases and calls, as far as instruments are
    installed (`penstock.instrument`), and what it computed. `app` says in whose store that is kept; else it is that of
    the trace around it, if there is one, else what `PENSTOCK_APP` or `[tool.penstock] app` names, which is imported
    when something is to be written. Where there is none, or its store is out of reach, a warning is logged and the code
    is none the worse for it. Decorated may be `def` and `async def`. Raises `ConfigurationError` for what is no name or
    app.
    """

    def __init__(self, name: str, *, app: Tracing | None = None) -> None:
        faults = []
        if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST or "\0" in name:
            faults.append(f"trace: expected a name of 1 to {_LONGEST} characters, got {name!r}")
        given: object = app
        if given is not None and not isinstance(given, Tracing):
            faults.append(f"trace: app: expected a Penstock, got {type(given).__name__}")
        if faults:
            raise ConfigurationError(faults)
        self._name = name
        self._app = app

    def __enter__(self) -> None:
        recorder = self._recorder()
        nested = None if recorder is None else Nested("trace", self._name, recorder)
        _running.set((*_running.get(), (self, nested)))
        if nested is not None:
            nested.__enter__()

    def __exit__(self, *exception: Any) -> None:
        running = _running.get()
        place = next((place for place in reversed(range(len(running))) if running[place][0] is self), None)
        if place is None:  # begun in another context
            return
        nested = running[place][1]
        _running.set(running[:place] + running[place + 1:])
        if nested is not None:
            nested.__exit__(*exception)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def atraced(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast(Callable[P, R], atraced)

        @functools.wraps(function)
        def traced(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return traced

    def _recorder(self) -> Recorder | None:
        if self._app is not None:
            recorder = self._app.recorder
            if recorder is not None:
                recorder.open()  # its app may have been closed before
            return recorder
        around = active.get()
        if around is not None and around.recorder is not None:
            return cast(Recorder, around.recorder)
        return _unnamed.recorder


class _Unnamed:
    """The recorder of traces that name no app. Which app is theirs is looked for when something is to be written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._app: Tracing | None = None
        self._recorder: Recorder | None = None
        self._missing = False

    @property
    def recorder(self) -> Recorder | None:
        if self._missing:
            return None
        with self._lock:
            if self._recorder is None:
                self._recorder = Recorder(self._store, keeps=lambda place: self._found().keeping(place))
            return self._recorder

    def _found(self) -> Tracing:
        if self._app is None:
            from penstock.app import Penstock
            self._app = find_app(Penstock, None, "say app= in penstock.trace", Path.cwd())
        return self._app

    def _store(self) -> Store:
        try:
            app = self._found()
        except Exception as error:
            self._missing = True
            fault = error if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {error}"
            raise Nowhere(f"the app of penstock.trace was not found, so its traces are dropped: {fault}") from error
        if app.recorder is None:
            self._missing = True
            raise Nowhere
        return app.store


_unnamed = _Unnamed()
_running: ContextVar[tuple[tuple[trace, Nested | None], ...]] = ContextVar("penstock_running", default=())
celery.begin = trace
