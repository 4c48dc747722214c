"""Sessions that somebody ended, in whichever process: signing out is written to the journal, and read from there.

Whoever comes with a session waits for a look that is two seconds old at most; so a copy of a cookie ends everywhere,
and stays ended when a process begins anew.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from penstock.app import Penstock
from penstock.domain.errors import StoreError

LOOK_SECONDS = 2.0
_ABOUT, _ACTION = "session", "/sign-out"
_PAGE, _MOST = 100, 10_000


class SignedOut:
    """Of the last `seconds`, for which a session lasts. While the store does not answer, what is known holds."""

    def __init__(self, app: Penstock, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._seconds = seconds
        self._now = now
        self._look_at = float("-inf")
        self._known: frozenset[str] = frozenset()
        self._whole = False
        self._lock = threading.Lock()

    @property
    def is_due(self) -> bool:
        return self._now() >= self._look_at

    def __contains__(self, id: str) -> bool:
        return _mark(id) in self._known

    def write(self, actor: str, id: str) -> None:
        """Somebody ended this session. Raises `StoreError`."""
        self._app.journal_end(self._app.journal_begin(actor, f"{_ACTION} {_mark(id)}", _ABOUT), said="signed out")

    def look(self) -> None:
        """On a thread: learn of what is new. Of many at once one looks, and the others wait."""
        with self._lock:
            if not self.is_due:
                return
            began = self._now()
            with suppress(StoreError):
                self._read()
            self._look_at = began + LOOK_SECONDS

    def _read(self) -> None:
        """All of them at first, then the newest: some of those may have been known, since commits come in any order."""
        found: set[str] = set()
        before, since = None, self._app.now_ms() - self._seconds * 1000
        while len(found) < _MOST:
            entries = self._app.journal(about=_ABOUT, before=before, limit=_PAGE)
            found.update(each.action.rpartition(" ")[2] for each in entries)
            if self._whole or len(entries) < _PAGE or entries[-1].at < since:
                break
            before = entries[-1].id
        self._whole = True
        self._known |= found


def _mark(id: str) -> str:
    return hashlib.sha256(f"ended {id}".encode()).hexdigest()[:32]
