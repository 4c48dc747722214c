"""A thread of the control plane: one step, again and again, when woken or when due."""

import random
import threading
from collections.abc import Callable

from penstock.events import LoopFailed
from penstock.events.telling import Events

_FAILED_SECONDS = 1.0


class Loop:
    """Runs `step` until closed. `step` returns how many seconds may pass before the next, unless woken first; between
    two steps it rests for `rest_seconds`, however often it is woken, unless it is to hurry.

    A step that raises is reported as an event and tried again a second later: a store that is away for a while
    must not end a worker.
    """

    def __init__(self, name: str, step: Callable[[], float], events: Events, *, rest_seconds: float = 0.0) -> None:
        self.name = name
        self._rest_seconds = rest_seconds
        self._no_rest = threading.Event()
        self._step = step
        self._events = events
        self._woken = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"penstock-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        if not self._woken.is_set():  # asked once per job, and cheaper than to set what is set
            self._woken.set()

    def hurry(self) -> None:
        """Wake it, and let it not rest before its next step."""
        self._no_rest.set()
        self._woken.set()

    def _run(self) -> None:
        while not self._closed:
            self._woken.clear()
            self._no_rest.clear()
            try:
                wait = self._step()
            except Exception as error:
                self._events.emit(LoopFailed(loop=self.name, error=f"{type(error).__name__}: {error}"))
                wait = _FAILED_SECONDS * random.uniform(0.5, 1.5)
            if wait > 0 and not self._closed:
                self._woken.wait(wait)
                if self._rest_seconds:
                    self._no_rest.wait(self._rest_seconds)

    def close(self) -> None:
        self._closed = True
        self._no_rest.set()
        self._woken.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()
