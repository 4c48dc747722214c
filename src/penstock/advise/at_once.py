"""Plans asked for at once: when a trace ends, of its slow statements, with the parameters that they really had.

Later only what may be kept of them is known, and the planner may have changed its mind by then. It is asked on a thread
of its own, and nobody waits for it; what it says is kept without constants. What cannot be asked is let go: whoever
asks for advice is told why.
"""

import atexit
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable

from penstock.advise.asking.keeping import PlansKept
from penstock.advise.asking.opening import open_examined
from penstock.advise.asking.options import Options
from penstock.advise.judging.examining import examine
from penstock.domain.traces import StatementSeen

logger = logging.getLogger("penstock")

_MOST = 100
_LAST_SECONDS = 5.0
"""For so long the end of a process waits for what was slow in its last trace."""
_LIMITS = Options(statement_ms=2_000).limits


class AtOnce:
    """Asks for plans, one after another. The thread is there while there is something to ask.

    `kept` gives where plans are kept, when there is one to keep.
    """

    def __init__(self, kept: Callable[[], PlansKept]) -> None:
        self._kept = kept
        self._waiting: deque[tuple[str, StatementSeen]] = deque(maxlen=_MOST)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        _all.add(self)

    def ask(self, url: str, statement: StatementSeen) -> None:
        """Have a statement explained in the database at `url`, soon. Of more than a hundred the oldest are let go."""
        with self._lock:
            self._waiting.append((url, statement))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="penstock-plans", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Wait until what was asked for is there, for five seconds at most; what is left is let go."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LAST_SECONDS)
        self._waiting.clear()

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                url, statement = self._waiting.popleft()
            try:
                with open_examined(url, _LIMITS) as database:
                    examine(database, statement, kept=self._kept())
            except Exception as error:  # the job has long gone on; advice will meet the same, and say so
                logger.debug("the plan of %s could not be asked for: %s", statement.fingerprint, error)


_all: "weakref.WeakSet[AtOnce]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for each in list(_all):
        each.close()
