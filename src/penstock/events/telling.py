"""The one place that events are told from: to the log, and to whoever listens."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from penstock.events import FREQUENT, Event

logger = logging.getLogger("penstock")


def listening_faults(listener: object, kinds: Iterable[object]) -> list[str]:
    """What is wrong with a listener and with what it is to hear."""
    faults = [] if callable(listener) else [f"listen: expected a function that takes an event, got {listener!r}"]
    return faults + [f"listen: expected a kind of event, such as JobCompleted, got {kind!r}" for kind in kinds
                     if not (isinstance(kind, type) and issubclass(kind, Event))]


class Events:
    """Tells events to whoever listens. A listener that fails is logged and never stops the others.

    `heard` are those of the frequent ones that somebody listens to: for others nothing is to be done at all.
    """

    def __init__(self) -> None:
        self._listeners: list[tuple[Callable[[Any], object], tuple[type[Event], ...]]] = []
        self.heard: frozenset[type[Event]] = frozenset()

    def listen(self, listener: Callable[[Any], object], *kinds: type[Event]) -> None:
        """Tell a listener of events of these kinds, or of every event that is not frequent."""
        self._listeners.append((listener, kinds))
        self.heard |= {frequent for frequent in FREQUENT if kinds and issubclass(frequent, kinds)}

    def emit(self, event: Event) -> None:
        frequent = isinstance(event, FREQUENT)
        if not frequent:
            logger.log(event.level, "%s", event)
        for listener, kinds in tuple(self._listeners):
            if isinstance(event, kinds) if kinds else not frequent:
                try:
                    listener(event)
                except Exception:
                    logger.exception("a listener failed on %s", event)
