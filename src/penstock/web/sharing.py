"""What was just loaded, for all who ask for the same within a moment: of many at once, one loads and others wait."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Key = tuple[Any, ...]
_MOST_KEPT = 200


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    loaded_at: float = float("-inf")
    value: Any = None


class Shared:
    """Values by key, each for so many seconds; with none, everybody loads for themselves."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, load: Callable[[], Any]) -> Any:
        if self._seconds <= 0:
            return load()
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        with kept.lock:
            if self._now() - kept.loaded_at >= self._seconds:
                began = self._now()
                kept.value = load()
                kept.loaded_at = began
            return kept.value

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()
