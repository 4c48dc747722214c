"""One thread asks the store for many: whoever finds nothing at hand leads, and the others wait for what it brings."""

import threading
from concurrent.futures import Future


class Turns:
    """Who asks. `lock` guards what is at hand."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0
        self._asked: Future[None] | None = None

    def begin(self) -> "Future[None] | None":
        """None for the one who is to ask; for the others what to wait for. Called with the lock held."""
        if self._asked is None:
            self._asked = Future()
            return None
        self.waiting += 1
        return self._asked

    def waited(self) -> None:
        with self.lock:
            self.waiting -= 1

    def end(self) -> None:
        """It has asked, with whatever success: the others look again."""
        with self.lock:
            asked, self._asked = self._asked, None
        if asked is not None:
            asked.set_result(None)
